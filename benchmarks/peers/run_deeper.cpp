// deeper as a peer of the comparison: see README.md for the protocol.
//   run_deeper MODEL BATCH THREADS [all|onednn]

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "backend/compile.h"
#include "frontend/import.h"
#include "ir/error.h"
#include "passes/passes.h"
#include "runtime/session.h"

namespace {

using Clock = std::chrono::steady_clock;
using nlohmann::json;

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

void answer(const json& line) { std::cout << line.dump() << std::endl; }

deeper::ir::Graph import_with_batch(const std::string& path, std::int64_t batch) {
  deeper::frontend::ImportOptions options;
  deeper::ir::Graph graph = deeper::frontend::import_onnx(path, options);
  if (batch == 1) return graph;
  for (const deeper::ir::ValueId input : graph.inputs()) {
    deeper::ir::Shape shape = graph.shape(input);
    shape.at(0) = batch;
    options.input_shapes[graph.value(input).name] = shape;
  }
  return deeper::frontend::import_onnx(path, options);
}

// A compiled model with the memory its inputs and outputs lie in.
class Engine {
 public:
  Engine(const deeper::runtime::Program& program) : session_(program, {.pin_threads = true}) {
    for (const auto& port : program.plan().inputs) input_data_.emplace_back(size_of(port));
    for (const auto& port : program.plan().outputs) output_data_.emplace_back(size_of(port));
    inputs_.assign(input_data_.begin(), input_data_.end());
    outputs_.assign(output_data_.begin(), output_data_.end());
  }

  void read_input(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    file.read(reinterpret_cast<char*>(input_data_.at(0).data()), std::ssize(input_data_[0]) * 4);
    if (!file) throw deeper::ModelError(fmt::format("'{}' is shorter than the input", path));
  }

  void write_output(const std::string& path) const {
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(output_data_.at(0).data()), std::ssize(output_data_[0]) * 4);
  }

  double run() {
    const auto start = Clock::now();
    if (session_.run(inputs_, outputs_) != deeper::runtime::Status::ok) throw deeper::ModelError("the run failed");
    return ms_since(start);
  }

 private:
  static std::size_t size_of(const deeper::runtime::Port& port) {
    return static_cast<std::size_t>(deeper::ir::element_count(port.type.shape));
  }

  std::vector<std::vector<float>> input_data_;
  std::vector<std::vector<float>> output_data_;
  std::vector<std::span<const float>> inputs_;
  std::vector<std::span<float>> outputs_;
  deeper::runtime::Session session_;
};

void serve(Engine& engine) {
  std::string line;
  while (std::getline(std::cin, line)) {
    std::istringstream words(line);
    std::string command;
    std::string argument;
    words >> command >> argument;
    if (command == "input") {
      engine.read_input(argument);
      answer({{"ok", true}});
    } else if (command == "output") {
      engine.write_output(argument);
      answer({{"ok", true}});
    } else if (command == "run") {
      std::vector<double> ms;
      for (int left = std::stoi(argument); left > 0; --left) ms.push_back(engine.run());
      answer({{"ms", ms}});
    } else {
      return;
    }
  }
}

void start(const std::vector<std::string>& arguments) {
  const auto begin = Clock::now();
  const int threads = std::stoi(arguments.at(2));
  deeper::ir::Graph graph = import_with_batch(arguments.at(0), std::stol(arguments.at(1)));
  deeper::passes::run_passes(graph, deeper::passes::default_pipeline());
  deeper::backend::CompileOptions options;
  const bool is_onednn = arguments.size() > 3 && arguments[3] == "onednn";
  options.kernels = is_onednn ? deeper::backend::Kernels::onednn : deeper::backend::Kernels::all;
  const deeper::runtime::Program program(
      deeper::backend::compile(graph, deeper::backend::detect_target(threads, ""), options),
      deeper::backend::kernel_table());
  Engine engine(program);
  answer({{"engine", is_onednn ? "deeper, oneDNN kernels" : "deeper"},
          {"load_ms", ms_since(begin)},
          {"input", program.plan().inputs.at(0).type.shape},
          {"output", program.plan().outputs.at(0).name}});
  serve(engine);
}

}  // namespace

int main(int count, char** values) {
  const std::vector<std::string> arguments(values + 1, values + count);
  if (arguments.size() < 3) {
    std::cerr << "usage: run_deeper MODEL BATCH THREADS [all|onednn]\n";
    return 2;
  }
  try {
    start(arguments);
  } catch (const std::exception& error) {
    answer({{"error", error.what()}});
    return 1;
  }
}
