# Installs the build into a fresh prefix, builds the project beside this file against it and runs it on a zoo model.
#   cmake -DBUILD=... -DSOURCE=... -DWORK=... -P run.cmake
function(run)
  execute_process(COMMAND ${ARGV} COMMAND_ERROR_IS_FATAL ANY)
endfunction()
file(REMOVE_RECURSE ${WORK})
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/prefix)
run(${CMAKE_COMMAND} -S ${SOURCE} -B ${WORK}/build -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH=${WORK}/prefix)
run(${CMAKE_COMMAND} --build ${WORK}/build)
run(${BUILD}/deeper zoo googlenet -o ${WORK}/googlenet.onnx)
run(${BUILD}/deeper compile ${WORK}/googlenet.onnx --threads 1 --tune off -o ${WORK}/googlenet.plan)
run(${WORK}/build/check_c ${WORK}/googlenet.plan)
run(${WORK}/build/check_c ${WORK}/googlenet.onnx)
run(${WORK}/build/check_cpp ${WORK}/googlenet.onnx)
