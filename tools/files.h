#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace deeper::tools {

// The whole file. Throws ModelError with the system's reason.
std::string read_file(const std::filesystem::path& path);

// Writes to a temporary name in the same folder, then renames: nothing half-written stays. Throws ModelError.
void write_file(const std::filesystem::path& path, std::string_view bytes);

// Refuses a path that cannot be written, before there is anything to write. Throws ModelError. An empty one is fine.
void require_writable(const std::filesystem::path& path);

}  // namespace deeper::tools
