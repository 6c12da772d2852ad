// Times deeper and other engines on the same models, alternating in one run. See README.md.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const here = dirname(fileURLToPath(import.meta.url));
const usage = `usage: node compare.mjs [options] [MODEL.onnx | zoo name]...      all of the zoo where none is named
  --threads LIST   thread counts, each measured apart (1,2)
  --runs N         timed runs of each engine, at least (30)
  --block N        runs in a row before the next engine's turn (5)
  --batch N        (1)
  --peers LIST     of onnxruntime,opencv (both)
  --kernels KIND   deeper's kernels: all or onednn (all)
  --cores LIST     cores to pin to; as many as threads are used (the first this process may use)
  --build DIR      where deeper is built (build/release)
  --json           one JSON object per comparison instead of a table`;

class Peer {
  constructor(label, command, cores) {
    this.label = label;
    this.times = [];
    const [program, ...rest] = ['taskset', '-c', cores.join(','), ...command];
    this.process = spawn(program, rest, {
      stdio: ['pipe', 'pipe', 'ignore'],
      env: { ...process.env, OMP_NUM_THREADS: String(cores.length) },
    });
    this.process.on('error', () => {});
    this.process.stdin.on('error', () => {});
    this.lines = createInterface({ input: this.process.stdout })[Symbol.asyncIterator]();
  }

  async answer() {
    const { value, done } = await this.lines.next();
    if (done) return { error: 'ended without a word' };
    return JSON.parse(value);
  }

  async ask(line) {
    this.process.kill('SIGCONT');
    this.process.stdin.write(line + '\n');
    const answer = await this.answer();
    if (answer.error) throw new Error(`${this.label}: ${answer.error}`);
    this.pause();
    return answer;
  }

  // Stopped while others have their turn: threads that spin for work would take the cores from them.
  pause() {
    this.process.kill('SIGSTOP');
  }

  end() {
    this.process.kill('SIGKILL');
  }
}

function allowedCores() {
  const list = readFileSync('/proc/self/status', 'utf8').match(/Cpus_allowed_list:\s*(\S+)/)[1];
  return list.split(',').flatMap((range) => {
    const [first, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}

function readOptions() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      threads: { type: 'string', default: '1,2' },
      runs: { type: 'string', default: '30' },
      block: { type: 'string', default: '5' },
      batch: { type: 'string', default: '1' },
      peers: { type: 'string', default: 'onnxruntime,opencv' },
      kernels: { type: 'string', default: 'all' },
      cores: { type: 'string', default: '' },
      build: { type: 'string', default: join(here, '../../build/release') },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    process.exit(0);
  }
  return {
    ...values,
    models: positionals,
    threads: values.threads.split(',').map(Number),
    runs: Number(values.runs),
    block: Number(values.block),
    peers: values.peers.split(',').filter(Boolean),
    cores: values.cores ? values.cores.split(',').map(Number) : allowedCores(),
  };
}

// The paths of what is to be measured; members of the zoo are written to `folder`.
function gatherModels(options, folder) {
  const deeper = (...rest) => spawnSync(join(options.build, 'deeper'), ['zoo', ...rest], { encoding: 'utf8' });
  const write = (name) => {
    const path = join(folder, name + '.onnx');
    const written = deeper(name, '-o', path);
    if (written.status !== 0) throw new Error(written.stderr || String(written.error));
    return path;
  };
  const list = () => deeper().stdout.trim().split('\n').slice(1).map((line) => line.split(' ')[0]);
  const wanted = options.models.length ? options.models : list();
  return wanted.map((model) => (existsSync(model) ? model : write(model)));
}

function peerCommand(kind, model, batch, threads, shape, output) {
  const rest = [model, batch, String(threads), shape.join(','), output];
  if (kind === 'onnxruntime') return ['node', join(here, 'run_onnxruntime.mjs'), ...rest];
  if (kind === 'opencv') return ['/usr/bin/python3', join(here, 'run_opencv.py'), ...rest];
  throw new Error(`no peer '${kind}'; there are onnxruntime and opencv`);
}

// Pixels of deviation about a half; the same for everyone.
function writeInput(path, shape) {
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
  let state = 1;
  for (let i = 0; i < data.length; ++i) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    data[i] = (state / 4294967296 - 0.5) * 1.7;
  }
  writeFileSync(path, new Uint8Array(data.buffer));
}

const median = (numbers) => {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

function relativeDifference(path, reference) {
  const floats = (file) => {
    const bytes = readFileSync(file);
    return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  };
  const [a, b] = [floats(path), floats(reference)];
  if (a.length !== b.length) return NaN;
  const norm = (f) => Math.sqrt(b.reduce((sum, value, i) => sum + f(value, i) ** 2, 0));
  return norm((value, i) => a[i] - value) / norm((value) => value);
}

// Loads every engine; those that cannot take the model are returned with their reason.
async function startPeers(model, threads, options, folder) {
  const cores = options.cores.slice(0, threads);
  const deeper = new Peer('deeper', [join(options.build, 'run_deeper'), model, options.batch, String(threads),
    options.kernels], cores);
  const started = await deeper.answer();
  if (started.error) throw new Error(`deeper: ${started.error}`);
  deeper.pause();
  deeper.info = started;
  const input = join(folder, 'input.bin');
  writeInput(input, started.input);
  const peers = [deeper];
  const refused = {};
  for (const kind of options.peers) {
    const peer = new Peer(kind, peerCommand(kind, model, options.batch, threads, started.input, started.output), cores);
    const info = await peer.answer();
    if (info.error) {
      refused[kind] = info.error;
      peer.end();
      continue;
    }
    peer.pause();
    peers.push(Object.assign(peer, { info }));
  }
  for (const peer of [...peers]) {
    try {
      await peer.ask(`input ${input}`);
      const [first] = (await peer.ask('run 1')).ms;
      peer.info.first_ms = first;
      await peer.ask('run 2');
    } catch (error) {
      if (peer === deeper) throw error;
      refused[peer.label] = error.message;
      peers.splice(peers.indexOf(peer), 1);
      peer.end();
    }
  }
  return { peers, refused };
}

// Turns of a block each until all have enough runs. The first of a block finds the caches as others left them: untimed.
async function alternate(peers, options) {
  while (peers[0].times.length < options.runs) {
    for (const peer of peers) {
      const { ms } = await peer.ask(`run ${options.block + 1}`);
      peer.times.push(...ms.slice(1));
    }
  }
}

async function compare(model, threads, options, folder) {
  const { peers, refused } = await startPeers(model, threads, options, folder);
  try {
    await alternate(peers, options);
    const outputs = peers.map((peer) => join(folder, peer.label + '.bin'));
    for (const [i, peer] of peers.entries()) await peer.ask(`output ${outputs[i]}`);
    const ours = median(peers[0].times);
    return {
      model: basename(model, '.onnx'),
      threads,
      batch: Number(options.batch),
      engines: peers.map((peer, i) => ({
        engine: peer.info.engine,
        load_ms: peer.info.load_ms,
        first_ms: peer.info.first_ms,
        p50_ms: median(peer.times),
        min_ms: Math.min(...peer.times),
        runs: peer.times.length,
        ours_over_theirs: ours / median(peer.times),
        difference: relativeDifference(outputs[i], outputs[0]),
      })),
      refused,
    };
  } finally {
    for (const peer of peers) peer.end();
  }
}

function printTable(result) {
  for (const engine of result.engines) {
    const ours = engine === result.engines[0];
    console.log(
      [
        result.model.padEnd(20),
        String(result.threads).padStart(2),
        engine.engine.padEnd(22),
        engine.p50_ms.toFixed(2).padStart(9),
        engine.min_ms.toFixed(2).padStart(9),
        (ours ? '' : engine.ours_over_theirs.toFixed(3)).padStart(7),
        (ours ? '' : engine.difference.toExponential(1)).padStart(9),
        ours || engine.difference < 1e-3 ? '' : 'another answer',
      ].join('  '),
    );
  }
  for (const [kind, reason] of Object.entries(result.refused)) console.log(`${result.model}: ${kind}: ${reason}`);
}

async function main() {
  const options = readOptions();
  const folder = mkdtempSync(join(tmpdir(), 'deeper-peers-'));
  let failed = 0;
  try {
    if (!options.json) {
      console.log('model                 thr  engine                   p50 ms     min ms     ours/    relative');
      console.log('                                                                        theirs   difference');
    }
    for (const model of gatherModels(options, folder)) {
      for (const threads of options.threads) {
        try {
          const result = await compare(model, threads, options, folder);
          if (options.json) console.log(JSON.stringify(result));
          else printTable(result);
        } catch (error) {
          failed += 1;
          console.error(`${basename(model)}, ${threads} threads: ${error.message}`);
        }
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  process.exit(failed ? 1 : 0);
}

await main().catch((error) => {
  console.error(error.message);
  process.exit(2);
});
