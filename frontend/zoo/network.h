#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "frontend/zoo/moments.h"
#include "frontend/zoo/window.h"
#include "ir/ops.h"

namespace deeper::frontend::zoo {

// A value of the model under construction: [N, channels, height, width], or [N, channels] once flattened.
struct FeatureMap {
  std::string value;
  std::int64_t channels = 0;
  std::int64_t height = 1;
  std::int64_t width = 1;
  Moments moments;
};

struct Local {  // local response normalisation
  std::int64_t size = 5;
  float alpha = 1e-4F;
  float beta = 0.75F;
  float bias = 1.0F;
};

// Writes a network layer by layer. Every layer's node takes the name it is given, and so does its result; names within
// one model must differ. Weights are drawn so that a layer's sums have a second moment of one (He et al. 2015, with the
// input's own second moment in place of an assumed one); statistics of BatchNormalization scatter around what that
// makes of its input, as an epoch's do. Throws ModelError naming the layer whose window does not fit its input.
class Network {
 public:
  // With `batch_norm_epsilon` every convolution is followed by BatchNormalization instead of having a bias.
  Network(const std::string& name, std::uint64_t seed, std::optional<float> batch_norm_epsilon);
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  FeatureMap input(std::int64_t size);

  // The family's unit: convolution, normalisation or bias, Relu.
  FeatureMap conv(const std::string& name, const FeatureMap& x, std::int64_t channels, const Window& window,
                  std::int64_t groups = 1);
  // A convolution with neither normalisation nor activation.
  FeatureMap linear_conv(const std::string& name, const FeatureMap& x, std::int64_t channels, const Window& window,
                         std::int64_t groups, bool has_bias);
  FeatureMap pool(const std::string& name, const FeatureMap& x, const ir::Pool& pool);
  FeatureMap global_average_pool(const std::string& name, const FeatureMap& x);
  FeatureMap local_response_norm(const std::string& name, const FeatureMap& x, const Local& local);
  FeatureMap concat(const std::string& name, const std::vector<FeatureMap>& parts);
  // x + scale * branch; a scale of one is left out.
  FeatureMap scaled_residual(const std::string& name, const FeatureMap& x, const FeatureMap& branch, double scale,
                             bool has_relu);

  FeatureMap flatten(const std::string& name, const FeatureMap& x);
  FeatureMap dropout(const std::string& name, const FeatureMap& x);
  FeatureMap fully_connected(const std::string& name, const FeatureMap& x, std::int64_t units);  // with a bias
  // Without a bias, then BatchNormalization: a face embedding's last layer.
  FeatureMap normalized_fully_connected(const std::string& name, const FeatureMap& x, std::int64_t units);
  FeatureMap relu(const std::string& name, const FeatureMap& x);
  // Fully connected logits that spread enough for an answer and little enough for the others to count, then Softmax.
  FeatureMap classifier(const std::string& name, const FeatureMap& x, std::int64_t classes);
  FeatureMap l2_normalize(const std::string& name, const FeatureMap& x);

  // Makes x, a head's last value that no layer reads, the model's next output, renamed to this.
  void output(const std::string& name, const FeatureMap& x);

  std::string serialize() const;

 private:
  struct Writer;
  FeatureMap batch_norm(const std::string& name, const FeatureMap& x);
  FeatureMap dense(const std::string& name, const FeatureMap& x, std::int64_t units, bool has_bias, double deviation);

  std::unique_ptr<Writer> writer_;
  std::optional<float> epsilon_;
};

}  // namespace deeper::frontend::zoo
