// Conv.
#include <array>

#include "frontend/importer_table.h"
#include "frontend/windows.h"

namespace deeper::frontend {
namespace {

void import_conv(NodeContext& node) {
  const ir::ValueId x = node.input(0);
  const ir::ValueId weights = node.input(1);
  const ir::Conv conv = read_conv(node, node.shape(x), node.shape(weights));
  std::vector<ir::ValueId> inputs = {as_image(node, x), as_image(node, weights)};
  if (node.has_input(2)) inputs.push_back(node.input(2));
  image_result(node, x, conv, std::move(inputs));
}

constexpr std::array kRows = {
    ImporterRow{"", "Conv", 3, kOpen, import_conv},
};

}  // namespace

std::span<const ImporterRow> convolution_rows() { return kRows; }

}  // namespace deeper::frontend
