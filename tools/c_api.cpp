// runtime/deeper.h over the C++ interface: exceptions end here.
#include <algorithm>
#include <cstring>
#include <exception>
#include <string_view>

#include "backend/compile.h"
#include "ir/error.h"
#include "runtime/deeper.h"
#include "runtime/session.h"
#include "tools/open.h"
#include "tools/version.h"

struct deeper_program {
  deeper::runtime::Program program;
};

struct deeper_session {
  deeper::runtime::Program program;
  deeper::runtime::Session session;
  std::vector<std::span<const float>> inputs;
  std::vector<std::span<float>> outputs;
};

namespace {

using deeper::runtime::Port;

void report(char* error, std::size_t size, std::string_view text) {
  if (error == nullptr || size == 0) return;
  const std::size_t length = std::min(size - 1, text.size());
  std::memcpy(error, text.data(), length);
  error[length] = '\0';
}

// Runs `work`, turning what it throws into a status and a line of text.
template <typename Work>
deeper_status guarded(char* error, std::size_t size, Work work) noexcept {
  try {
    work();
    return DEEPER_OK;
  } catch (const deeper::ModelError& e) {
    report(error, size, e.what());
    return DEEPER_MODEL_ERROR;
  } catch (const std::exception& e) {
    report(error, size, e.what());
    return DEEPER_INTERNAL_ERROR;
  }
}

const Port* find_port(const deeper_program* program, int which, std::size_t index) {
  const deeper::runtime::Plan& plan = program->program.plan();
  const std::vector<Port>& ports = which == DEEPER_INPUTS ? plan.inputs : plan.outputs;
  return index < ports.size() ? &ports[index] : nullptr;
}

std::size_t elements(const Port& port) { return static_cast<std::size_t>(deeper::ir::element_count(port.type.shape)); }

}  // namespace

const char* deeper_version() {
  static const std::string text = deeper::tools::version_text();
  return text.c_str();
}

deeper_status deeper_program_open(const char* path, int threads, deeper_program** program, char* error,
                                  std::size_t error_size) {
  return guarded(error, error_size, [&] {
    if (path == nullptr || program == nullptr || threads < 0)
      throw deeper::ModelError("deeper_program_open: a bad argument");
    deeper::OpenOptions options;
    options.threads = threads;
    *program = new deeper_program{{deeper::open_plan(path, options), deeper::backend::kernel_table()}};
  });
}

void deeper_program_free(deeper_program* program) { delete program; }

std::size_t deeper_port_count(const deeper_program* program, int which) {
  const deeper::runtime::Plan& plan = program->program.plan();
  return which == DEEPER_INPUTS ? plan.inputs.size() : plan.outputs.size();
}

const char* deeper_port_name(const deeper_program* program, int which, std::size_t index) {
  const Port* port = find_port(program, which, index);
  return port == nullptr ? nullptr : port->name.c_str();
}

std::size_t deeper_port_rank(const deeper_program* program, int which, std::size_t index) {
  const Port* port = find_port(program, which, index);
  return port == nullptr ? 0 : port->type.shape.size();
}

const std::int64_t* deeper_port_shape(const deeper_program* program, int which, std::size_t index) {
  const Port* port = find_port(program, which, index);
  return port == nullptr ? nullptr : port->type.shape.data();
}

std::size_t deeper_port_elements(const deeper_program* program, int which, std::size_t index) {
  const Port* port = find_port(program, which, index);
  return port == nullptr ? 0 : elements(*port);
}

deeper_status deeper_session_create(const deeper_program* program, deeper_session** session, char* error,
                                    std::size_t error_size) {
  return guarded(error, error_size, [&] {
    if (program == nullptr || session == nullptr) throw deeper::ModelError("deeper_session_create: a bad argument");
    const deeper::runtime::Plan& plan = program->program.plan();
    *session = new deeper_session{program->program,
                                  {program->program, {}},
                                  std::vector<std::span<const float>>(plan.inputs.size()),
                                  std::vector<std::span<float>>(plan.outputs.size())};
  });
}

void deeper_session_free(deeper_session* session) { delete session; }

deeper_status deeper_session_run(deeper_session* session, const float* const* inputs, float* const* outputs) {
  const deeper::runtime::Plan& plan = session->program.plan();
  for (std::size_t i = 0; i < plan.inputs.size(); ++i) session->inputs[i] = {inputs[i], elements(plan.inputs[i])};
  for (std::size_t i = 0; i < plan.outputs.size(); ++i) session->outputs[i] = {outputs[i], elements(plan.outputs[i])};
  const deeper::runtime::Status status = session->session.run(session->inputs, session->outputs);
  return status == deeper::runtime::Status::ok ? DEEPER_OK : DEEPER_MODEL_ERROR;
}
