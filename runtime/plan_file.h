#pragma once

#include <filesystem>

#include "runtime/kernel.h"
#include "runtime/plan.h"

namespace deeper::runtime {

// Writes to a temporary name beside `path`, then renames. Throws ModelError where the file cannot be written.
void save_plan(const Plan& plan, const std::filesystem::path& path);

// Maps the file; weights stay in the page cache. Throws ModelError with one clear line for a file that is no plan, of
// another version, truncated, with a wrong checksum, or for another CPU or oneDNN than this one.
Plan load_plan(const std::filesystem::path& path);

// True where the file starts as a plan does.
bool is_plan_file(const std::filesystem::path& path);

}  // namespace deeper::runtime
