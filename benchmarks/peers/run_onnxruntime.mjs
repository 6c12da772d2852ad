// ONNX Runtime as a peer of the comparison: see README.md for the protocol.
//   node run_onnxruntime.mjs MODEL BATCH THREADS INPUT_SHAPE      shape as 1,3,224,224
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import ort from 'onnxruntime-node';

const [model, , threads, shapeText] = process.argv.slice(2);
const shape = shapeText.split(',').map(Number);
const answer = (line) => console.log(JSON.stringify(line));

async function load() {
  const version = createRequire(import.meta.url)('onnxruntime-node/package.json').version;
  const begin = performance.now();
  const session = await ort.InferenceSession.create(model, {
    executionProviders: ['cpu'],
    intraOpNumThreads: Number(threads),
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    logSeverityLevel: 3,
  });
  answer({
    engine: `ONNX Runtime ${version}`,
    load_ms: performance.now() - begin,
    input: shape,
    output: session.outputNames[0],
  });
  return session;
}

function readInput(path) {
  const bytes = readFileSync(path);
  const data = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  return new ort.Tensor('float32', data, shape);
}

async function serve(session) {
  let feeds = {};
  let first = null;
  for await (const line of createInterface({ input: process.stdin })) {
    const [command, argument] = line.split(' ');
    if (command === 'input') {
      feeds = { [session.inputNames[0]]: readInput(argument) };
      answer({ ok: true });
    } else if (command === 'output') {
      writeFileSync(argument, new Uint8Array(first.data.buffer, first.data.byteOffset, first.data.byteLength));
      answer({ ok: true });
    } else if (command === 'run') {
      const ms = [];
      for (let left = Number(argument); left > 0; --left) {
        const begin = performance.now();
        const results = await session.run(feeds, [session.outputNames[0]]);
        ms.push(performance.now() - begin);
        first = results[session.outputNames[0]];
      }
      answer({ ms });
    } else {
      process.exit(0);
    }
  }
}

try {
  await serve(await load());
} catch (error) {
  answer({ error: String(error.message ?? error).split('\n')[0] });
  process.exit(1);
}
