// Programs and sessions: everything run() needs is resolved into flat arrays beforehand.
#include "runtime/session.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "ir/error.h"
#include "runtime/hazards.h"
#include "runtime/threads.h"
#include "runtime/validate.h"

namespace deeper::runtime {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20U;
constexpr std::int64_t kAllImages = -1;

std::int64_t now_ns() noexcept {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// Zeroed memory, the one given or else aligned to a huge page and made of them where the system offers that.
class Arena {
 public:
  Arena(std::uint64_t bytes, std::span<std::byte> given) {
    if (bytes == 0) return;
    if (!given.empty()) {
      data_ = given.data();
      const bool is_aligned = reinterpret_cast<std::uintptr_t>(data_) % kAlignment == 0;
      if (given.size() < bytes || !is_aligned)
        throw ModelError("the memory given to a session is too small or not aligned");
      std::ranges::fill(given.first(bytes), std::byte{0});
      return;
    }
    mapped_bytes_ = (bytes + kHugePage - 1) / kHugePage * kHugePage + kHugePage;
    mapped_ = mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped_ == MAP_FAILED) {
      mapped_ = nullptr;
      throw ModelError(fmt::format("no memory for an arena of {} bytes", bytes));
    }
    const auto address = reinterpret_cast<std::uintptr_t>(mapped_);
    const std::uintptr_t skip = (kHugePage - address % kHugePage) % kHugePage;
    data_ = static_cast<std::byte*>(mapped_) + skip;
    if (bytes >= kHugePage) madvise(data_, mapped_bytes_ - kHugePage, MADV_HUGEPAGE);
  }
  ~Arena() {
    if (mapped_ != nullptr) munmap(mapped_, mapped_bytes_);
  }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  std::byte* data() const { return data_; }

 private:
  static constexpr std::size_t kAlignment = 64;
  void* mapped_ = nullptr;
  std::size_t mapped_bytes_ = 0;
  std::byte* data_ = nullptr;
};

// A step, and the image of the batch it is run for (0: the first one, or all).
struct Position {
  std::size_t step = 0;
  std::int64_t image = 0;
  bool is_alone = false;  // one member of the team runs it while the others are at other images
  bool waits = false;     // for all members to be through with the positions before
};

// A step with everything at hand.
struct ResolvedStep {
  Position position;
  Executable::Run run = nullptr;
  const void* state = nullptr;
  Addresses addresses = nullptr;
  bool is_team_kernel = false;
};

// An address that is the caller's and set for every run.
struct Patch {
  std::size_t address = 0;
  bool is_output = false;
  std::uint32_t port = 0;
  std::uint64_t offset = 0;
};

// Positions in a row that one team runs, or that run from the calling thread.
struct Segment {
  std::size_t first = 0;
  std::size_t end = 0;
  bool is_team = false;
};

const KernelRow& find_kernel(KernelTable kernels, const Step& step) {
  const auto found = std::ranges::find(kernels, step.kernel, &KernelRow::name);
  if (found == kernels.end()) throw ModelError(fmt::format("there is no kernel '{}'", step.kernel));
  return *found;
}

// The order in which steps are run.
std::vector<Position> positions_of(const Plan& plan) {
  std::vector<Position> positions;
  std::size_t next = 0;
  const auto add = [&](std::size_t end, std::int64_t image, bool is_alone) {
    for (std::size_t step = next; step < end; ++step) positions.push_back({step, image, is_alone});
  };
  for (const ImageLoop& loop : plan.loops) {
    add(loop.first, 0, false);
    next = loop.first;
    const std::size_t begin = positions.size();
    for (std::int64_t image = 0; image < loop.images; ++image) add(loop.end, image, loop.side_by_side);
    positions[begin].waits = true;
    next = loop.end;
  }
  add(plan.steps.size(), 0, false);
  return positions;
}

// Lets positions wait where something that they need or overwrite is in use before. Images side by side are memory
// apart, and each goes through its steps in order.
void place_barriers(const Plan& plan, std::span<Position> positions) {
  constexpr std::size_t kMost = 64;  // positions without a barrier, to look through
  std::vector<Accesses> since;       // the last barrier
  for (std::size_t i = 0; i < positions.size(); ++i) {
    Position& position = positions[i];
    if (position.is_alone) continue;
    Accesses accesses = accesses_of(plan.steps[position.step], position.image);
    const auto needs = [&](const Accesses& other) { return depend(other, accesses); };
    position.waits = position.waits || since.size() == kMost || std::ranges::any_of(since, needs) ||
                     (i > 0 && positions[i - 1].is_alone);
    if (position.waits) since.clear();
    since.push_back(std::move(accesses));
  }
}

std::vector<Segment> find_segments(std::span<const Executable> executables, std::span<const Position> positions) {
  std::vector<Segment> segments;
  for (std::size_t i = 0; i < positions.size(); ++i) {
    const bool is_team = executables[positions[i].step].is_team_kernel;
    if (segments.empty() || segments.back().is_team != is_team) segments.push_back({i, i, is_team});
    segments.back().end = i + 1;
  }
  return segments;
}

std::vector<int> usable_cpus() {
  std::vector<int> cpus;
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(static_cast<std::size_t>(cpu), &set)) cpus.push_back(cpu);
  }
  return cpus;
}

bool fit(std::span<const Port> ports, std::span<const std::size_t> sizes, auto given) noexcept {
  if (ports.size() != given.size()) return false;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (given[i].size() != sizes[i]) return false;
  }
  return true;
}

std::vector<std::size_t> port_sizes(std::span<const Port> ports) {
  std::vector<std::size_t> sizes;
  for (const Port& port : ports) sizes.push_back(static_cast<std::size_t>(ir::element_count(port.type.shape)));
  return sizes;
}

}  // namespace

struct Program::State {
  Plan plan;
  std::vector<Executable> executables;
  std::vector<Position> positions;
  std::vector<Segment> segments;
};

struct Session::State {
  State(std::shared_ptr<const Program::State> program_state, const SessionOptions& options);

  std::byte* fixed_address(const Operand& operand, std::int64_t image) const;
  void add_address(const Operand& operand, std::int64_t image);
  bool is_asked_for(const Position& position) const {
    return position.step < count && (position.step < alone_from || position.image == image_alone);
  }
  Status start(std::span<const std::span<const float>> inputs, std::span<const std::span<float>> outputs,
               std::size_t steps_to_run, std::int64_t image_to_run, std::int64_t* nanoseconds) noexcept;
  void execute() noexcept;
  void execute_alone() noexcept;
  void execute_position(std::size_t index, Team member) noexcept;
  void execute_segment() noexcept;

  std::shared_ptr<const Program::State> program;
  std::vector<std::shared_ptr<const void>> step_states;  // keeps what bind() made
  Arena arena;
  std::vector<std::byte*> addresses;
  std::vector<Patch> patches;
  std::vector<ResolvedStep> steps;
  std::vector<std::size_t> input_sizes;
  std::vector<std::size_t> output_sizes;
  std::vector<int> cpus;  // to pin to; empty: not pinned
  std::vector<ThreadSlot> slots;
  ThreadTeam team;

  // Of the run in progress.
  std::size_t count = 0;
  std::size_t alone_from = 0;  // steps from here on run for one image
  std::int64_t image_alone = kAllImages;
  std::int64_t* step_ns = nullptr;
  Segment segment;
};

namespace {

int cpu_of(std::span<const int> cpus, int thread) noexcept {
  return cpus.empty() ? -1 : cpus[static_cast<std::size_t>(thread) % cpus.size()];
}

}  // namespace

Program::Program(Plan plan, KernelTable kernels) {
  validate(plan);
  auto state = std::make_shared<State>();
  const OpenMpThreads threads(plan.threads);
  for (const Step& step : plan.steps) {
    try {
      const int threads_here = threads_of_step(plan, state->executables.size());
      const KernelRow& kernel = find_kernel(kernels, step);
      if ((step.operand_pool || step.result_pool) && !kernel.pools) throw ModelError("it cannot pool");
      state->executables.push_back(kernel.prepare(step, threads_here));
      if (!state->executables.back().is_team_kernel && threads_here < plan.threads) {
        throw ModelError("it cannot run beside others");
      }
    } catch (const std::exception& error) {  // libraries' own too: a damaged plan may ask them for anything
      throw ModelError(fmt::format("step '{}' ({}): {}", step.name, step.kernel, error.what()));
    }
  }
  state->positions = positions_of(plan);
  place_barriers(plan, state->positions);
  state->segments = find_segments(state->executables, state->positions);
  state->plan = std::move(plan);
  state_ = std::move(state);
}

const Plan& Program::plan() const { return state_->plan; }

Session::State::State(std::shared_ptr<const Program::State> program_state, const SessionOptions& options)
    : program(std::move(program_state)), arena(program->plan.arena_bytes, options.memory) {
  const Plan& plan = program->plan;
  for (const Executable& executable : program->executables) {
    step_states.push_back(executable.bind != nullptr ? executable.bind(executable.state) : executable.state);
  }
  for (const Position& position : program->positions) {
    const Step& step = plan.steps[position.step];
    for (const Operand& operand : step.operands) add_address(operand, position.image);
    add_address(step.result, position.image);
    add_address(step.scratch, position.image);
  }
  std::size_t address = 0;
  for (const Position& position : program->positions) {
    const Executable& executable = program->executables[position.step];
    steps.push_back(
        {position, executable.run, step_states[position.step].get(), &addresses[address], executable.is_team_kernel});
    address += plan.steps[position.step].operands.size() + 2;
  }
  input_sizes = port_sizes(plan.inputs);
  output_sizes = port_sizes(plan.outputs);
  if (options.pin_threads) cpus = usable_cpus();
  slots.resize(static_cast<std::size_t>(plan.threads));
  // Starts the threads of the pool.
  if (plan.threads > 1)
    team.run(
        plan.threads, [](void*, Team) noexcept {}, nullptr);
}

std::byte* Session::State::fixed_address(const Operand& operand, std::int64_t image) const {
  switch (operand.space) {
    case Space::arena:
      return arena.data() + offset_of(operand, image);
    case Space::weights:  // never written: validate() lets no step have its result there
      return const_cast<std::byte*>(program->plan.weights->bytes().data()) + offset_of(operand, image);
    case Space::none:
    case Space::input:
    case Space::output:
      return nullptr;
  }
  return nullptr;
}

void Session::State::add_address(const Operand& operand, std::int64_t image) {
  if (operand.space == Space::input || operand.space == Space::output) {
    patches.push_back({addresses.size(), operand.space == Space::output, operand.port, offset_of(operand, image)});
  }
  addresses.push_back(fixed_address(operand, image));
}

void Session::State::execute_alone() noexcept {
  const int threads = program->plan.threads;
  for (std::size_t i = segment.first; i < segment.end; ++i) {
    const ResolvedStep& step = steps[i];
    if (!is_asked_for(step.position)) continue;
    const std::int64_t begin = step_ns != nullptr ? now_ns() : 0;
    step.run(step.state, step.addresses, {0, threads});
    if (step_ns != nullptr) step_ns[step.position.step] += now_ns() - begin;
  }
}

void Session::State::execute_position(std::size_t index, Team member) noexcept {
  const ResolvedStep& step = steps[index];
  const Position& position = step.position;
  if (position.waits && index > segment.first) team.barrier().wait(member.count);
  // One member for all images that lie in the same place, even if the team is smaller than it was to be.
  const bool is_own = position.image % program->plan.threads % member.count == member.index;
  if (!is_asked_for(position) || (position.is_alone && !is_own)) return;
  const std::int64_t begin = step_ns != nullptr ? now_ns() : 0;
  step.run(step.state, step.addresses, position.is_alone ? Team{} : member);
  if (step_ns == nullptr) return;
  if (!position.is_alone) team.barrier().wait(member.count);
  if (member.index == 0) step_ns[position.step] += now_ns() - begin;
}

void Session::State::execute_segment() noexcept {
  team.run(
      program->plan.threads,
      [](void* state, Team member) noexcept {
        State& self = *static_cast<State*>(state);
        for (std::size_t i = self.segment.first; i < self.segment.end; ++i) self.execute_position(i, member);
      },
      this);
}

void Session::State::execute() noexcept {
  const int threads = program->plan.threads;
  if (threads == 1) {
    enter_kernels(slots[0], cpu_of(cpus, 0));
    segment = {0, steps.size(), false};
    execute_alone();
    leave_kernels(slots[0]);
    return;
  }
  team.run(
      threads,
      [](void* state, Team member) noexcept {
        State& self = *static_cast<State*>(state);
        enter_kernels(self.slots[static_cast<std::size_t>(member.index)], cpu_of(self.cpus, member.index));
      },
      this);
  for (const Segment& next : program->segments) {
    segment = next;
    next.is_team ? execute_segment() : execute_alone();
  }
  team.run(
      threads,
      [](void* state, Team member) noexcept {
        leave_kernels(static_cast<State*>(state)->slots[static_cast<std::size_t>(member.index)]);
      },
      this);
}

Status Session::State::start(std::span<const std::span<const float>> inputs, std::span<const std::span<float>> outputs,
                             std::size_t steps_to_run, std::int64_t image_to_run, std::int64_t* nanoseconds) noexcept {
  if (!fit(program->plan.inputs, input_sizes, inputs)) return Status::wrong_input;
  if (!fit(program->plan.outputs, output_sizes, outputs)) return Status::wrong_output;
  for (const Patch& patch : patches) {  // inputs are never written: validate() lets no step have its result there
    float* data = patch.is_output ? outputs[patch.port].data() : const_cast<float*>(inputs[patch.port].data());
    addresses[patch.address] = reinterpret_cast<std::byte*>(data) + patch.offset;
  }
  count = steps_to_run;
  image_alone = image_to_run;
  alone_from = count;
  for (const ImageLoop& loop : program->plan.loops) {
    if (image_alone != kAllImages && loop.first < count && count <= loop.end) alone_from = loop.first;
  }
  step_ns = nanoseconds;
  if (step_ns != nullptr) std::fill_n(step_ns, program->plan.steps.size(), 0);
  const OpenMpThreads threads(program->plan.threads);
  execute();
  return Status::ok;
}

Session::Session(const Program& program, const SessionOptions& options)
    : state_(std::make_unique<State>(program.state_, options)) {}
Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

Status Session::run(std::span<const std::span<const float>> inputs,
                    std::span<const std::span<float>> outputs) noexcept {
  return state_->start(inputs, outputs, state_->program->plan.steps.size(), kAllImages, nullptr);
}

Status Session::run_profiled(std::span<const std::span<const float>> inputs, std::span<const std::span<float>> outputs,
                             std::span<std::int64_t> step_ns) noexcept {
  const std::size_t steps = state_->program->plan.steps.size();
  if (step_ns.size() < steps) return Status::wrong_output;
  return state_->start(inputs, outputs, steps, kAllImages, step_ns.data());
}

Status Session::run_steps(std::span<const std::span<const float>> inputs, std::span<const std::span<float>> outputs,
                          std::size_t count, std::int64_t image) noexcept {
  return state_->start(inputs, outputs, count, image, nullptr);
}

const float* Session::address_of(const Operand& operand, std::int64_t image) const {
  return reinterpret_cast<const float*>(state_->fixed_address(operand, image));
}

}  // namespace deeper::runtime
