/* The C interface of deeper: open a model or a plan, make a session, run it.
 *
 * Every function that can fail gives a deeper_status and writes one line that says why to `error` (at most `error_size`
 * bytes with the terminating zero; may be null). Nothing throws. Tensors are dense row-major float32 in the shapes that
 * the port functions give. A program may be shared by threads; a session is for one thread at a time. A session keeps
 * what it needs of its program, so the two may be freed in any order. */
#ifndef DEEPER_H
#define DEEPER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum deeper_status {
  DEEPER_OK = 0,
  DEEPER_MODEL_ERROR = 1,    /* the model, plan or an argument is at fault */
  DEEPER_INTERNAL_ERROR = 2, /* deeper is at fault, or memory ran out */
} deeper_status;

typedef struct deeper_program deeper_program;
typedef struct deeper_session deeper_session;

const char* deeper_version(void);

/* Opens an .onnx model (imported, optimized and compiled with default options) or a plan file. threads 0: one per CPU,
 * or as the plan was compiled. */
deeper_status deeper_program_open(const char* path, int threads, deeper_program** program, char* error,
                                  size_t error_size);
void deeper_program_free(deeper_program* program);

/* Ports: `which` is 0 for inputs and 1 for outputs. An index out of range gives null or 0. The strings and arrays live
 * as long as the program. */
enum { DEEPER_INPUTS = 0, DEEPER_OUTPUTS = 1 };
size_t deeper_port_count(const deeper_program* program, int which);
const char* deeper_port_name(const deeper_program* program, int which, size_t index);
size_t deeper_port_rank(const deeper_program* program, int which, size_t index);
const int64_t* deeper_port_shape(const deeper_program* program, int which, size_t index);
size_t deeper_port_elements(const deeper_program* program, int which, size_t index);

deeper_status deeper_session_create(const deeper_program* program, deeper_session** session, char* error,
                                    size_t error_size);
void deeper_session_free(deeper_session* session);

/* inputs[i] and outputs[i] point to deeper_port_elements floats of port i. Allocates nothing of its own. */
deeper_status deeper_session_run(deeper_session* session, const float* const* inputs, float* const* outputs);

#ifdef __cplusplus
}
#endif

#endif
