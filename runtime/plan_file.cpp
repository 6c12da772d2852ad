// A plan file: header, description in JSON, zeros up to a page, weights. Numbers are little-endian.
#include "runtime/plan_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>
// Where the library has one, its choice of vector instructions at run time: three times as fast.
#if __has_include(<xxh_x86dispatch.h>)
#include <xxh_x86dispatch.h>
#endif

#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <future>
#include <random>
#include <utility>

#include "ir/error.h"
#include "runtime/machine.h"
#include "runtime/plan_json.h"
#include "runtime/validate.h"

namespace deeper::runtime {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::array<char, 8> kMagic = {'D', 'E', 'E', 'P', 'P', 'L', 'A', 'N'};
constexpr std::uint32_t kVersion = 8;
constexpr std::uint64_t kPage = 4096;

struct Header {
  std::array<char, 8> magic = kMagic;
  std::uint32_t version = kVersion;
  std::uint32_t header_bytes = 64;
  std::uint64_t file_bytes = 0;
  std::uint64_t description_bytes = 0;
  std::uint64_t weights_offset = 0;
  std::uint64_t weights_bytes = 0;
  std::uint64_t checksum = 0;  // as checksum_of gives it, with zeros here
  std::uint64_t reserved = 0;
};
static_assert(sizeof(Header) == 64);

using Bytes = std::span<const std::byte>;

template <typename... Args>
[[noreturn]] void refuse(const std::filesystem::path& path, fmt::format_string<Args...> why, Args&&... args) {
  throw ModelError(fmt::format("'{}': {}", path.string(), fmt::format(why, std::forward<Args>(args)...)));
}

// A file descriptor.
class File {
 public:
  explicit File(int descriptor) : descriptor_(descriptor) {}
  ~File() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int get() const { return descriptor_; }
  bool is_open() const { return descriptor_ >= 0; }

 private:
  int descriptor_;
};

// --- writing ---

std::filesystem::path temporary_name(const std::filesystem::path& path) {
  std::random_device random;
  std::filesystem::path name = path;
  name += fmt::format(".{:08x}{:08x}.tmp", random(), random());
  return name;
}

// A new file that is gone again unless it is renamed.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::filesystem::path& target)
      : target_(target),
        name_(temporary_name(target)),
        file_(open(name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)) {
    if (!file_.is_open()) refuse(target_, "cannot be written: {}", std::strerror(errno));
  }
  ~TemporaryFile() {
    if (!renamed_) unlink(name_.c_str());
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  void append(Bytes bytes) {
    while (!bytes.empty()) {
      const ssize_t written = write(file_.get(), bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) refuse(target_, "cannot be written: {}", std::strerror(errno));
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
  }
  void rename_to_target() {
    if (rename(name_.c_str(), target_.c_str()) != 0) refuse(target_, "cannot be written: {}", std::strerror(errno));
    renamed_ = true;
  }

 private:
  std::filesystem::path target_;
  std::filesystem::path name_;
  File file_;
  bool renamed_ = false;
};

struct HashStateDeleter {
  void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
};

// XXH3 of what is before the weights and of the hashes of both halves of them, which two threads make: reading them is
// what loading a plan waits for.
std::uint64_t checksum_of(std::span<const Bytes> before, Bytes weights) {
  const auto hash = [](Bytes bytes) { return XXH3_64bits(bytes.data(), bytes.size()); };
  const Bytes first = weights.first(weights.size() / 2);
  // Deferred where no thread can be had.
  auto second = std::async(std::launch::async | std::launch::deferred, hash, weights.subspan(first.size()));
  const std::array<std::uint64_t, 2> halves{hash(first), second.get()};
  const std::unique_ptr<XXH3_state_t, HashStateDeleter> state(XXH3_createState());
  DEEPER_CHECK(state != nullptr && XXH3_64bits_reset(state.get()) == XXH_OK, "hashing a plan");
  for (const Bytes& part : before) XXH3_64bits_update(state.get(), part.data(), part.size());
  XXH3_64bits_update(state.get(), halves.data(), sizeof halves);
  return XXH3_64bits_digest(state.get());
}

Bytes bytes_of(const Header& header) { return std::as_bytes(std::span(&header, 1)); }

// --- reading ---

// A file in memory, for as long as its weights are needed.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path) {
    const File file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.is_open()) refuse(path, "cannot be read: {}", std::strerror(errno));
    struct stat status {};
    if (fstat(file.get(), &status) != 0) refuse(path, "cannot be read: {}", std::strerror(errno));
    if (!S_ISREG(status.st_mode)) refuse(path, "is no file");
    size_ = static_cast<std::size_t>(status.st_size);
    if (size_ < sizeof(Header)) refuse(path, "is no plan");
    void* const mapped = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file.get(), 0);
    if (mapped == MAP_FAILED) refuse(path, "cannot be read: {}", std::strerror(errno));
    data_ = static_cast<std::byte*>(mapped);
  }
  ~MappedFile() {
    if (data_ != nullptr) munmap(data_, size_);
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  Bytes bytes() const { return {data_, size_}; }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

class MappedWeights : public Weights {
 public:
  MappedWeights(std::shared_ptr<const MappedFile> file, Bytes bytes) : file_(std::move(file)), bytes_(bytes) {}
  Bytes bytes() const override { return bytes_; }

 private:
  std::shared_ptr<const MappedFile> file_;
  Bytes bytes_;
};

Header read_header(const std::filesystem::path& path, Bytes file) {
  Header header;
  std::memcpy(&header, file.data(), sizeof header);
  if (header.magic != kMagic) refuse(path, "is no plan");
  if (header.version != kVersion || header.header_bytes != sizeof header) {
    refuse(path, "is a plan of version {}; this is version {}: compile the model again", header.version, kVersion);
  }
  if (header.file_bytes != file.size()) {
    refuse(path, "is a damaged plan: it should have {} bytes and has {}", header.file_bytes, file.size());
  }
  const std::uint64_t room = file.size() - sizeof header;
  const bool fits = header.description_bytes <= room && header.weights_offset <= file.size() &&
                    header.weights_offset >= sizeof header + header.description_bytes &&
                    header.weights_offset % kPage == 0 && header.weights_bytes == file.size() - header.weights_offset;
  if (!fits) refuse(path, "is a damaged plan: its parts do not fit the file");
  Header unsigned_header = header;
  unsigned_header.checksum = 0;
  const Bytes before[] = {bytes_of(unsigned_header),
                          file.subspan(sizeof header, header.weights_offset - sizeof header)};
  if (checksum_of(before, file.subspan(header.weights_offset)) != header.checksum) {
    refuse(path, "is a damaged plan: its checksum is wrong");
  }
  return header;
}

void require_fit(const std::filesystem::path& path, const Plan& plan) {
  if (!cpu_has(plan.isa)) refuse(path, "needs a CPU with {}, which this one lacks: compile the model again", plan.isa);
  if (plan.onednn != onednn_version()) {
    refuse(path, "was compiled for oneDNN {}; this is {}: compile the model again", plan.onednn, onednn_version());
  }
}

}  // namespace

void save_plan(const Plan& plan, const std::filesystem::path& path) {
  const std::string description = plan_to_json(plan);
  const Bytes weights = plan.weights ? plan.weights->bytes() : Bytes{};
  Header header;
  header.description_bytes = description.size();
  header.weights_offset = (sizeof header + description.size() + kPage - 1) / kPage * kPage;
  header.weights_bytes = weights.size();
  header.file_bytes = header.weights_offset + weights.size();
  const std::vector<std::byte> zeros(header.weights_offset - sizeof header - description.size());
  const std::array<Bytes, 3> before = {bytes_of(header), std::as_bytes(std::span(description)), zeros};
  header.checksum = checksum_of(before, weights);
  TemporaryFile file(path);
  for (const Bytes& part : before) file.append(part);
  file.append(weights);
  file.rename_to_target();
}

Plan load_plan(const std::filesystem::path& path) {
  const auto file = std::make_shared<const MappedFile>(path);
  const Header header = read_header(path, file->bytes());
  const Bytes description = file->bytes().subspan(sizeof header, header.description_bytes);
  Plan plan;
  try {
    plan = plan_from_json({reinterpret_cast<const char*>(description.data()), description.size()});
    plan.weights =
        std::make_shared<MappedWeights>(file, file->bytes().subspan(header.weights_offset, header.weights_bytes));
    validate(plan);
  } catch (const ModelError& error) {
    refuse(path, "{}", error.what());
  }
  require_fit(path, plan);
  return plan;
}

bool is_plan_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::array<char, 8> magic{};
  return file.read(magic.data(), magic.size()) && magic == kMagic;
}

}  // namespace deeper::runtime
