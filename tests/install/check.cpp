// Builds against the installed C++ headers: the optimized graph and the plan of argv[1].
#include <backend/compile.h>
#include <ir/print.h>
#include <runtime/session.h>
#include <tools/open.h>

#include <cstdio>
#include <exception>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    deeper::OpenOptions options;
    options.threads = 1;
    const deeper::frontend::Imported imported = deeper::import_and_optimize(argv[1], options);
    const deeper::runtime::Program program(deeper::compile_imported(imported, options),
                                           deeper::backend::kernel_table());
    std::printf("%zu nodes, %zu steps\n", imported.graph.order().size(), program.plan().steps.size());
    return imported.graph.order().empty() ? 1 : 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
