// Runs the judges of three npm packages on TensorFlow.js; see record_with_tensorflow_js.py, which calls it.
const fs = require('fs');
const path = require('path');
const [modules, human, faceApi, nsfwjs, work] = process.argv.slice(2);
const tf = require(path.join(modules, '@tensorflow/tfjs'));

const buffer = (file) => { const data = fs.readFileSync(file); return data.buffer.slice(data.byteOffset, data.byteOffset + data.length); };
const json = (file) => JSON.parse(fs.readFileSync(file));
const pictures = (network, size) => tf.tensor4d(Float32Array.from(new Uint8Array(buffer(path.join(work, `${network}.pictures`)))), [2, size, size, 3]);
const seeded = (network) => [json(path.join(work, `${network}.seeded.json`)), buffer(path.join(work, `${network}.seeded.bin`))];
const rounded = (tensor) => tensor.arraySync().map((row) => [row].flat().map((value) => Number(value.toFixed(5))));

async function descriptor(own) {
  const { modelTopology, weightsManifest } = json(path.join(human, 'models/faceres.json'));
  let [weightSpecs, weightData] = [weightsManifest[0].weights, buffer(path.join(human, 'models/faceres.bin'))];
  if (!own) {
    // What is seeded takes the place of the package's; the rest (ages, constants of ReLU6) stays.
    const kept = tf.io.decodeWeights(weightData, weightSpecs);
    for (const [name, tensor] of Object.entries(tf.io.decodeWeights(...seeded('descriptor').reverse()))) {
      if (!(name in kept)) throw new Error(name);
      kept[name] = tensor;
    }
    ({ data: weightData, specs: weightSpecs } = await tf.io.encodeWeights(kept));
  }
  const model = await tf.loadGraphModel(tf.io.fromMemory({ modelTopology, weightSpecs, weightData }));
  const [descriptors, gender] = model.execute(pictures('descriptor', 224), ['global_pooling/Mean', 'gender_pred/BiasAdd']);
  return { descriptors: rounded(descriptors).map((row) => row.slice(0, 64)), gender: rounded(gender) };
}

async function faceNet(api, net, model, network, own) {
  const weights = own
    ? tf.io.decodeWeights(buffer(path.join(faceApi, `model/${model}.bin`)), json(path.join(faceApi, `model/${model}-weights_manifest.json`))[0].weights)
    : tf.io.decodeWeights(...seeded(network).reverse());
  if (!own && network === 'gender') {
    weights['fc/age/weights'] = tf.zeros([512, 1]);
    weights['fc/age/bias'] = tf.zeros([1]);
  }
  net.loadFromWeightMap(weights);
  const inputs = tf.unstack(pictures(network, 112));
  const found = net.runNet(await api.toNetInput(inputs));
  return rounded(found.gender || found);
}

async function general(own) {
  const { modelTopology } = require(path.join(nsfwjs, 'dist/models/mobilenet_v2/model.min.js'));
  const [specs, data] = own
    ? [json(path.join(work, 'general.package.json')), buffer(path.join(work, 'general.package.bin'))]
    : seeded('general');
  const config = modelTopology.model_config;
  // Up to the last block, at any size of the pictures.
  const end = config.config.layers.findIndex((layer) => layer.name === 'block_16_project_BN');
  config.config.layers = config.config.layers.slice(0, end + 1);
  config.config.layers[0].config.batch_input_shape = [null, null, null, 3];
  config.config.output_layers = [['block_16_project_BN', 0, 0]];
  const weights = tf.io.decodeWeights(data, specs);
  const model = await tf.models.modelFromJSON({ model_config: config });
  model.loadWeights(weights, false);
  return rounded(model.predict(pictures('general', 128).div(255)).mean([1, 2])).map((row) => row.slice(0, 64));
}

async function main() {
  await tf.setBackend('cpu');
  const api = require(path.join(faceApi, 'dist/face-api.node-wasm.js'));
  const values = {};
  for (const [kind, own] of [['seeded', false], ['package', true]]) {
    values[kind] = {
      ...await descriptor(own),
      male: await faceNet(api, new api.AgeGenderNet(), 'age_gender_model', 'gender', own),
      expression: await faceNet(api, new api.FaceExpressionNet(), 'face_expression_model', 'expression', own),
      general: await general(own),
    };
  }
  console.log(JSON.stringify(values));
}

main().catch((error) => { console.error(error); process.exit(1); });
