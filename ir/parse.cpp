// Recursive descent over the text form that print.h describes.
#include "ir/parse.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <fstream>
#include <map>

#include "ir/enums.h"
#include "ir/error.h"

namespace deeper::ir {
namespace {

constexpr std::int64_t kMostElements = std::int64_t{1} << 31;

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_plain(char c) { return is_letter(c) || is_digit(c) || c == '.' || c == '/' || c == '-' || c == ':'; }

// A place in the text, and the tokens from there on. Tokens may have white space and "# ..." comments before them.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}

  // Of the next token.
  std::size_t position() {
    skip();
    return at_;
  }

  [[noreturn]] void fail(const std::string& what) const { fail_at(at_, what); }
  [[noreturn]] void fail_at(std::size_t position, const std::string& what) const {
    const std::string_view before = text_.substr(0, position);
    const auto line = std::ranges::count(before, '\n') + 1;
    const std::size_t column = position - (before.rfind('\n') + 1) + 1;
    throw ModelError(fmt::format("line {}, column {}: {}", line, column, what));
  }

  bool done() {
    skip();
    return at_ == text_.size();
  }
  bool accept(char c) {
    skip();
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) fail(fmt::format("expected '{}'", c));
  }
  bool accept_word(std::string_view expected) {
    const std::size_t start = at_;
    if (word() == expected) return true;
    at_ = start;
    return false;
  }
  // Letters, digits and '_'; may be empty.
  std::string_view word() {
    skip();
    return take([](char c) { return is_letter(c) || is_digit(c); });
  }

  std::string quoted() {
    expect('"');
    std::string result;
    for (; peek() != '"'; ++at_) {
      if (at_ == text_.size()) fail("unfinished string");
      result += peek() == '\\' ? escaped() : peek();
    }
    ++at_;
    return result;
  }
  // What follows a sigil: plain or quoted.
  std::string name(char sigil) {
    expect(sigil);
    if (peek() == '"') return quoted();
    const std::string_view plain = take([](char c) { return is_plain(c); });
    // "%x: f32": the colon that ends a declaration is no part of the name.
    const bool colon = plain.ends_with(':');
    if (colon) --at_;
    if (plain.size() == (colon ? 1U : 0U)) fail("expected a name");
    return std::string(plain.substr(0, plain.size() - (colon ? 1 : 0)));
  }

  template <typename Number>
  Number number() {
    skip();
    Number value{};
    const char* end = text_.data() + text_.size();
    const auto [next, error] = std::from_chars(text_.data() + at_, end, value);
    if (error != std::errc{}) fail("expected a number");
    at_ = static_cast<std::size_t>(next - text_.data());
    return value;
  }
  float real() {
    if (!accept_word("nan")) return number<float>();
    if (!accept('(')) return std::bit_cast<float>(0x7fc00000U);
    if (!(accept('0') && accept('x'))) fail("expected the bits of a NaN");
    std::uint32_t bits = 0;
    const auto [next, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), bits, 16);
    if (error != std::errc{}) fail("expected the bits of a NaN");
    at_ = static_cast<std::size_t>(next - text_.data());
    expect(')');
    return std::bit_cast<float>(bits);
  }

 private:
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  template <typename Accepts>
  std::string_view take(const Accepts& accepts) {
    const std::size_t start = at_;
    while (at_ < text_.size() && accepts(text_[at_])) ++at_;
    return text_.substr(start, at_ - start);
  }
  void skip() {
    for (;;) {
      take([](char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; });
      if (peek() != '#') return;
      take([](char c) { return c != '\n'; });
    }
  }
  char escaped() {
    ++at_;
    if (peek() == '"' || peek() == '\\') return peek();
    unsigned char byte = 0;
    const char* digits = text_.data() + at_ + 1;
    if (peek() != 'x' || at_ + 2 >= text_.size() || std::from_chars(digits, digits + 2, byte, 16).ptr != digits + 2) {
      fail("unknown escape in a string");
    }
    at_ += 2;
    return static_cast<char>(byte);
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

// One overload per type an attribute can have.
void read(Cursor& cursor, std::int64_t& value) { value = cursor.number<std::int64_t>(); }
void read(Cursor& cursor, float& value) { value = cursor.real(); }

void read(Cursor& cursor, bool& value) {
  value = cursor.accept_word("true");
  if (!value && !cursor.accept_word("false")) cursor.fail("expected true or false");
}

void read(Cursor& cursor, DataType& value) {
  const std::string_view word = cursor.word();
  const std::optional<DataType> type = parse_data_type(word);
  if (!type) cursor.fail(fmt::format("'{}' is no element type", word));
  value = *type;
}

template <typename Enum>
requires std::is_enum_v<Enum>
void read(Cursor& cursor, Enum& value) {
  const std::string_view word = cursor.word();
  const auto& names = kEnumNames<Enum>;
  const auto* const found = std::ranges::find(names, word);
  if (found == names.end()) cursor.fail(fmt::format("'{}' is not known here", word));
  value = static_cast<Enum>(found - names.begin());
}

void read(Cursor& cursor, Activation& value) {
  read(cursor, value.function);
  if (!cursor.accept('(')) return;
  read(cursor, value.alpha);
  if (cursor.accept(',')) read(cursor, value.beta);
  cursor.expect(')');
}

template <typename T>
void read(Cursor& cursor, std::vector<T>& values) {
  values.clear();
  cursor.expect('[');
  if (cursor.accept(']')) return;
  do {
    read(cursor, values.emplace_back());
  } while (cursor.accept(','));
  cursor.expect(']');
}

template <std::size_t N>
void read(Cursor& cursor, std::array<std::int64_t, N>& values) {
  cursor.expect('[');
  for (std::size_t i = 0; i < N; ++i) {
    if (i > 0) cursor.expect(',');
    read(cursor, values[i]);
  }
  cursor.expect(']');
}

template <typename T>
void read_attribute(Cursor& cursor, T& op) {
  const std::size_t start = cursor.position();
  const std::string_view name = cursor.word();
  cursor.expect('=');
  bool found = false;
  const auto read_if = [&](const auto& field) {
    if (field.name != name) return;
    found = true;
    read(cursor, op.*field.member);
  };
  std::apply([&](const auto&... field) { (read_if(field), ...); }, T::fields());
  if (!found) cursor.fail_at(start, fmt::format("{} has no attribute '{}'", T::kName, name));
}

void read_attributes(Cursor& cursor, Op& op) {
  if (!cursor.accept('{')) return;
  do {
    std::visit([&](auto& o) { read_attribute(cursor, o); }, op);
  } while (cursor.accept(','));
  cursor.expect('}');
}

// The op of that name with its attributes at their default.
template <std::size_t... I>
std::optional<Op> default_op(std::string_view name, std::index_sequence<I...>) {
  std::optional<Op> result;
  const auto set_if = [&]<typename T>(T op) {
    if (T::kName == name) result = std::move(op);
  };
  (set_if(std::variant_alternative_t<I, Op>{}), ...);
  return result;
}

Op read_op_name(Cursor& cursor) {
  const std::size_t start = cursor.position();
  const std::string_view name = cursor.word();
  std::optional<Op> op = default_op(name, std::make_index_sequence<std::variant_size_v<Op>>());
  if (!op) cursor.fail_at(start, fmt::format("'{}' is no op", name));
  return *std::move(op);
}

class GraphParser {
 public:
  GraphParser(std::string_view text, const std::filesystem::path& folder) : cursor_(text), folder_(folder) {}

  Graph run() {
    if (!cursor_.accept_word("graph")) cursor_.fail("expected 'graph'");
    graph_.name = cursor_.quoted();
    cursor_.expect('{');
    while (!cursor_.accept('}')) statement();
    if (!cursor_.done()) cursor_.fail("expected the end of the text");
    for (const PendingSlot& pending : slots_) {
      const auto buffer = buffers_.find(pending.buffer);
      if (buffer == buffers_.end()) cursor_.fail_at(pending.position, fmt::format("no buffer '{}'", pending.buffer));
      graph_.set_slot(pending.value, Slot{buffer->second, pending.channel});
    }
    return std::move(graph_);
  }

 private:
  struct PendingSlot {
    ValueId value;
    std::string buffer;
    std::int64_t channel;
    std::size_t position;
  };
  struct Declaration {
    std::string name;
    Type type;
    std::optional<PendingSlot> slot;
    std::size_t position;
  };

  void statement() {
    if (cursor_.accept_word("input")) {
      const Declaration declared = declaration();
      declare(declared, graph_.add_input(declared.name, declared.type));
    } else if (cursor_.accept_word("const")) {
      const Declaration declared = declaration();
      cursor_.expect('=');
      declare(declared, graph_.add_constant(declared.name, constant(declared.type)));
    } else if (cursor_.accept_word("buffer")) {
      buffer();
    } else if (cursor_.accept_word("output")) {
      std::string name = cursor_.quoted();
      cursor_.expect('=');
      graph_.add_output(std::move(name), operand());
    } else {
      node();
    }
  }

  Declaration declaration() {
    Declaration result;
    result.position = cursor_.position();
    result.name = cursor_.name('%');
    if (values_.contains(result.name)) cursor_.fail_at(result.position, fmt::format("'{}' is taken", result.name));
    if (result.name.empty()) cursor_.fail_at(result.position, "a value's name is empty");
    cursor_.expect(':');
    read(cursor_, result.type.dtype);
    read(cursor_, result.type.shape);
    element_count_here(result.type.shape);
    if (!cursor_.accept_word("in")) return result;
    const std::size_t position = cursor_.position();
    std::string buffer = cursor_.name('$');
    cursor_.expect('[');
    result.slot = PendingSlot{{}, std::move(buffer), cursor_.number<std::int64_t>(), position};
    cursor_.expect(']');
    return result;
  }

  void declare(const Declaration& declared, ValueId value) {
    values_.emplace(declared.name, value);
    if (!declared.slot) return;
    slots_.push_back(*declared.slot);
    slots_.back().value = value;
  }

  void buffer() {
    std::string name = cursor_.name('$');
    cursor_.expect('[');
    const auto channels = cursor_.number<std::int64_t>();
    cursor_.expect(']');
    if (buffers_.contains(name)) cursor_.fail(fmt::format("buffer '{}' is taken", name));
    buffers_.emplace(name, graph_.add_buffer(name, channels));
  }

  ValueId operand() {
    if (cursor_.accept('_')) return {};
    const std::size_t position = cursor_.position();
    const std::string name = cursor_.name('%');
    const auto found = values_.find(name);
    if (found == values_.end()) cursor_.fail_at(position, fmt::format("no value '{}' before here", name));
    return found->second;
  }

  void node() {
    const Declaration declared = declaration();
    cursor_.expect('=');
    Op op = read_op_name(cursor_);
    cursor_.expect('(');
    std::vector<ValueId> inputs;
    if (!cursor_.accept(')')) {
      do {
        inputs.push_back(operand());
      } while (cursor_.accept(','));
      cursor_.expect(')');
    }
    read_attributes(cursor_, op);
    add_node(declared, std::move(op), std::move(inputs));
  }

  void add_node(const Declaration& declared, Op op, std::vector<ValueId> inputs) {
    std::string name = at_quote() ? cursor_.quoted() : "";
    std::vector<std::string> origins;
    if (cursor_.accept_word("from")) {
      do {
        origins.push_back(cursor_.quoted());
      } while (cursor_.accept(','));
    }
    try {
      const ValueId value = graph_.add_node(std::move(op), std::move(inputs), declared.name, std::move(origins));
      graph_.set_node_name(graph_.producer(value), std::move(name));
      declare(declared, value);
    } catch (const ModelError& error) {
      cursor_.fail_at(declared.position, fmt::format("node '{}': {}", declared.name, error.what()));
    }
    const Type& inferred = graph_.type(values_.at(declared.name));
    if (inferred != declared.type) {
      cursor_.fail_at(declared.position, fmt::format("'{}' is declared {} but its node gives {}", declared.name,
                                                     to_string(declared.type), to_string(inferred)));
    }
  }

  bool at_quote() {
    Cursor ahead = cursor_;
    return ahead.accept('"');
  }

  Tensor constant(const Type& type) {
    if (cursor_.accept('{')) return by_value(type);
    const std::size_t position = cursor_.position();
    const std::string_view kind = cursor_.word();
    cursor_.expect('(');
    if (kind == "seed") {
      const auto seed = cursor_.number<std::uint64_t>();
      cursor_.expect(')');
      if (type.dtype != DataType::f32) cursor_.fail_at(position, "only f32 constants come from a seed");
      if (element_count(type.shape) > kMostElements) cursor_.fail_at(position, "the constant is too large");
      return Tensor::seeded(type.shape, seed);
    }
    if (kind != "file") cursor_.fail_at(position, "expected '{', seed or file");
    const std::string name = cursor_.quoted();
    cursor_.expect(',');
    const auto offset = cursor_.number<std::uint64_t>();
    cursor_.expect(')');
    if (type.dtype == DataType::f32) return Tensor::f32(type.shape, from_file<float>(type, name, offset, position));
    return Tensor::integer(type.dtype, type.shape, from_file<std::int64_t>(type, name, offset, position));
  }

  Tensor by_value(const Type& type) {
    if (type.dtype == DataType::f32) return Tensor::f32(type.shape, elements<float>(type.shape));
    return Tensor::integer(type.dtype, type.shape, elements<std::int64_t>(type.shape));
  }

  template <typename T>
  std::vector<T> elements(const Shape& shape) {
    const std::size_t position = cursor_.position();
    std::vector<T> values;
    if (!cursor_.accept('}')) {
      do {
        read(cursor_, values.emplace_back());
      } while (cursor_.accept(','));
      cursor_.expect('}');
    }
    if (static_cast<std::int64_t>(values.size()) != element_count(shape)) {
      cursor_.fail_at(position, fmt::format("{} elements for {}", values.size(), element_count(shape)));
    }
    return values;
  }

  template <typename T>
  std::vector<T> from_file(const Type& type, const std::string& name, std::uint64_t offset, std::size_t position) {
    const std::filesystem::path relative(name);
    if (relative.empty() || relative != relative.filename() || name == "..") {
      cursor_.fail_at(position, fmt::format("'{}' is not a plain file name", name));
    }
    std::ifstream file(folder_ / relative, std::ios::binary | std::ios::ate);
    if (!file) cursor_.fail_at(position, fmt::format("cannot read '{}'", name));
    const auto size = static_cast<std::uint64_t>(file.tellg());
    const auto count = static_cast<std::uint64_t>(element_count(type.shape));
    if (offset > size || count > (size - offset) / sizeof(T)) {
      cursor_.fail_at(position, fmt::format("'{}' holds no {} at {}", name, to_string(type), offset));
    }
    std::vector<T> values(count);
    file.seekg(static_cast<std::streamoff>(offset));
    file.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(count * sizeof(T)));
    if (!file) cursor_.fail_at(position, fmt::format("cannot read '{}'", name));
    return values;
  }

  void element_count_here(const Shape& shape) const {
    try {
      element_count(shape);
    } catch (const ModelError& error) {
      cursor_.fail(error.what());
    }
  }

  Cursor cursor_;
  std::filesystem::path folder_;
  Graph graph_;
  std::map<std::string, ValueId, std::less<>> values_;
  std::map<std::string, BufferId, std::less<>> buffers_;
  std::vector<PendingSlot> slots_;
};

}  // namespace

Op parse_op(std::string_view text) {
  Cursor cursor(text);
  Op op = read_op_name(cursor);
  read_attributes(cursor, op);
  if (!cursor.done()) cursor.fail("expected the end of the text");
  return op;
}

Graph parse(std::string_view text, const std::filesystem::path& folder) { return GraphParser(text, folder).run(); }

Graph parse(std::string_view text) { return parse(text, {}); }

}  // namespace deeper::ir
