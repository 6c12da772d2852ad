# OpenCV DNN as a peer of the comparison: see README.md for the protocol.
#   /usr/bin/python3 run_opencv.py MODEL BATCH THREADS INPUT_SHAPE      shape as 1,3,224,224
import json
import sys
import time

import cv2
import numpy


def answer(line):
    print(json.dumps(line), flush=True)


def load(model, threads, shape, output):
    cv2.setNumThreads(threads)
    begin = time.perf_counter()
    net = cv2.dnn.readNetFromONNX(model)
    net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
    net.setPreferableTarget(cv2.dnn.DNN_TARGET_CPU)
    ms = (time.perf_counter() - begin) * 1e3
    answer({"engine": "OpenCV DNN " + cv2.__version__, "load_ms": ms, "input": shape, "output": output})
    return net


def serve(net, shape, output):
    data = result = None
    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        if command == "input":
            data = numpy.fromfile(argument, dtype=numpy.float32).reshape(shape)
            answer({"ok": True})
        elif command == "output":
            numpy.ascontiguousarray(result, dtype=numpy.float32).tofile(argument)
            answer({"ok": True})
        elif command == "run":
            ms = []
            for _ in range(int(argument)):
                begin = time.perf_counter()
                net.setInput(data)
                result = net.forward(output)
                ms.append((time.perf_counter() - begin) * 1e3)
            answer({"ms": ms})
        else:
            return


def main():
    model, _, threads, shape, output = sys.argv[1:6]
    shape = [int(extent) for extent in shape.split(",")]
    try:
        serve(load(model, int(threads), shape, output), shape, output)
    except Exception as error:  # whatever the engine raises is its answer
        answer({"error": str(error).strip().splitlines()[0][:200]})
        sys.exit(1)


main()
