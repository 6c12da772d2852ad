/* Builds against the installed C header and runs a model: argv[1] is an .onnx or .plan file. */
#include <runtime/deeper.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char** argv) {
  char error[256] = "";
  deeper_program* program = NULL;
  deeper_session* session = NULL;
  if (argc != 2) return 2;

  if (deeper_program_open("no such file", 1, &program, error, sizeof error) != DEEPER_MODEL_ERROR || error[0] == '\0') {
    fprintf(stderr, "a missing file is not an error\n");
    return 1;
  }
  if (deeper_program_open(argv[1], 1, &program, error, sizeof error) != DEEPER_OK ||
      deeper_session_create(program, &session, error, sizeof error) != DEEPER_OK) {
    fprintf(stderr, "%s\n", error);
    return 1;
  }
  if (deeper_port_count(program, DEEPER_INPUTS) != 1) return 1;
  if (deeper_port_name(program, DEEPER_OUTPUTS, 99) != NULL) return 1;

  const size_t input_size = deeper_port_elements(program, DEEPER_INPUTS, 0);
  const size_t output_count = deeper_port_count(program, DEEPER_OUTPUTS);
  float* input = malloc(input_size * sizeof(float));
  float** outputs = malloc(output_count * sizeof(float*));
  for (size_t i = 0; i < input_size; ++i) input[i] = (float)(i % 7) / 7.0F - 0.5F;
  for (size_t i = 0; i < output_count; ++i)
    outputs[i] = malloc(deeper_port_elements(program, DEEPER_OUTPUTS, i) * sizeof(float));

  const float* inputs[] = {input};
  if (deeper_session_run(session, inputs, outputs) != DEEPER_OK) return 1;
  float sum = 0; /* the first output is a softmax */
  for (size_t i = 0; i < deeper_port_elements(program, DEEPER_OUTPUTS, 0); ++i) sum += outputs[0][i];
  printf("%s: '%s' sums to %f\n", deeper_version(), deeper_port_name(program, DEEPER_OUTPUTS, 0), sum);

  deeper_program_free(program); /* before the session: allowed */
  if (deeper_session_run(session, inputs, outputs) != DEEPER_OK) return 1;
  deeper_session_free(session);
  for (size_t i = 0; i < output_count; ++i) free(outputs[i]);
  free(outputs);
  free(input);
  return sum > 0.999F && sum < 1.001F ? 0 : 1;
}
