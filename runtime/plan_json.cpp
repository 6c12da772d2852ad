// The fields of a plan, one function per struct and direction.
#include "runtime/plan_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>

#include "ir/error.h"
#include "ir/parse.h"
#include "ir/print.h"

namespace deeper::runtime {
namespace {

using Json = nlohmann::json;

constexpr std::array<std::string_view, 5> kSpaces = {"none", "arena", "weights", "input", "output"};

Json to_json(const Operand& operand) {
  if (operand.space == Space::none) return nullptr;
  Json json = {{"space", kSpaces.at(static_cast<std::size_t>(operand.space))},
               {"offset", operand.offset},
               {"bytes", operand.bytes},
               {"shape", operand.shape},
               {"strides", operand.strides},
               {"value", operand.value}};
  if (operand.space == Space::input || operand.space == Space::output) json["port"] = operand.port;
  if (operand.images != 1) {
    json["advance"] = operand.advance;
    json["images"] = operand.images;
  }
  return json;
}

Operand operand_from(const Json& json) {
  Operand operand;
  if (json.is_null()) return operand;
  const auto* const space = std::ranges::find(kSpaces, json.at("space").get<std::string>());
  if (space == kSpaces.end()) throw ModelError("unknown space");
  operand.space = static_cast<Space>(space - kSpaces.begin());
  json.at("offset").get_to(operand.offset);
  json.at("bytes").get_to(operand.bytes);
  json.at("shape").get_to(operand.shape);
  json.at("strides").get_to(operand.strides);
  json.at("value").get_to(operand.value);
  operand.port = json.value("port", std::uint32_t{0});
  operand.advance = json.value("advance", std::uint64_t{0});
  operand.images = json.value("images", std::uint32_t{1});
  return operand;
}

std::optional<ir::Pool> pool_from(const Json& json, const char* name) {
  if (!json.contains(name)) return std::nullopt;
  const ir::Op op = ir::parse_op(json.at(name).get<std::string>());
  const auto* const pool = std::get_if<ir::Pool>(&op);
  if (pool == nullptr) throw ModelError("a step pools with what is no pool");
  return *pool;
}

Json to_json(const Step& step) {
  Json operands = Json::array();
  for (const Operand& operand : step.operands) operands.push_back(to_json(operand));
  Json json = {{"kernel", step.kernel},          {"implementation", step.implementation},
               {"op", ir::print_op(step.op)},    {"operands", std::move(operands)},
               {"result", to_json(step.result)}, {"scratch", to_json(step.scratch)},
               {"tuning", step.tuning},          {"name", step.name},
               {"origins", step.origins},        {"multiply_adds", step.multiply_adds}};
  if (step.operand_pool) json["operand_pool"] = ir::print_op(*step.operand_pool);
  if (step.result_pool) json["result_pool"] = ir::print_op(*step.result_pool);
  return json;
}

Step step_from(const Json& json) {
  Step step;
  json.at("kernel").get_to(step.kernel);
  json.at("implementation").get_to(step.implementation);
  step.op = ir::parse_op(json.at("op").get<std::string>());
  step.operand_pool = pool_from(json, "operand_pool");
  step.result_pool = pool_from(json, "result_pool");
  for (const Json& operand : json.at("operands")) step.operands.push_back(operand_from(operand));
  step.result = operand_from(json.at("result"));
  step.scratch = operand_from(json.at("scratch"));
  json.at("tuning").get_to(step.tuning);
  json.at("name").get_to(step.name);
  json.at("origins").get_to(step.origins);
  json.at("multiply_adds").get_to(step.multiply_adds);
  return step;
}

Json to_json(const Port& port) {
  return {{"name", port.name},
          {"dtype", ir::to_string(port.type.dtype)},
          {"shape", port.type.shape},
          {"onnx_type", port.onnx_type}};
}

Port port_from(const Json& json) {
  Port port;
  const std::optional<ir::DataType> dtype = ir::parse_data_type(json.at("dtype").get<std::string>());
  if (!dtype) throw ModelError("unknown element type");
  port.type.dtype = *dtype;
  json.at("name").get_to(port.name);
  json.at("shape").get_to(port.type.shape);
  json.at("onnx_type").get_to(port.onnx_type);
  return port;
}

Json to_json(const ImageLoop& loop) {
  return {{"first", loop.first}, {"end", loop.end}, {"images", loop.images}, {"side_by_side", loop.side_by_side}};
}

ImageLoop loop_from(const Json& json) {
  ImageLoop loop;
  json.at("first").get_to(loop.first);
  json.at("end").get_to(loop.end);
  json.at("images").get_to(loop.images);
  json.at("side_by_side").get_to(loop.side_by_side);
  return loop;
}

template <typename T>
Json all_to_json(const std::vector<T>& items) {
  Json json = Json::array();
  for (const T& item : items) json.push_back(to_json(item));
  return json;
}

Plan plan_from(const Json& json) {
  Plan plan;
  json.at("model").get_to(plan.model);
  json.at("model_hash").get_to(plan.model_hash);
  json.at("isa").get_to(plan.isa);
  json.at("onednn").get_to(plan.onednn);
  json.at("threads").get_to(plan.threads);
  for (const Json& port : json.at("inputs")) plan.inputs.push_back(port_from(port));
  for (const Json& port : json.at("outputs")) plan.outputs.push_back(port_from(port));
  for (const Json& step : json.at("steps")) plan.steps.push_back(step_from(step));
  for (const Json& loop : json.at("loops")) plan.loops.push_back(loop_from(loop));
  json.at("arena_bytes").get_to(plan.arena_bytes);
  json.at("arena_lower_bound").get_to(plan.arena_lower_bound);
  json.at("compile_ms").get_to(plan.compile_ms);
  return plan;
}

}  // namespace

std::string plan_to_json(const Plan& plan) {
  const Json json = {{"model", plan.model},
                     {"model_hash", plan.model_hash},
                     {"isa", plan.isa},
                     {"onednn", plan.onednn},
                     {"threads", plan.threads},
                     {"inputs", all_to_json(plan.inputs)},
                     {"outputs", all_to_json(plan.outputs)},
                     {"steps", all_to_json(plan.steps)},
                     {"loops", all_to_json(plan.loops)},
                     {"arena_bytes", plan.arena_bytes},
                     {"arena_lower_bound", plan.arena_lower_bound},
                     {"compile_ms", plan.compile_ms}};
  // Names of a model need not be UTF-8.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Plan plan_from_json(std::string_view text) {
  try {
    return plan_from(Json::parse(text));
  } catch (const Json::exception&) {
    throw ModelError("the plan is damaged: its description cannot be read");
  } catch (const ModelError& error) {
    throw ModelError(fmt::format("the plan is damaged: {}", error.what()));
  }
}

}  // namespace deeper::runtime
