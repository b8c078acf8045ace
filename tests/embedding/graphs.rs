//! Networks that were read from ONNX, on the application's device and within its commands: what onnxruntime computes
//! (`tests/onnx/make_graphs.py`).

use std::path::{Path, PathBuf};

use vultus::gpu::Port;
use vultus::onnx::{self, Import, Imported};
use vultus::weights::safetensors;
use vultus::{Device, Options, Parameters, Tensor, wgpu};

use super::application::{Application, Own, embedded, read};

/// As in `tests/onnx_reading.rs`.
const TOLERANCE: f32 = 2e-5;

/// A graph with inputs and what comes of them.
struct Graph {
    name: String,
    imported: Imported,
    inputs: Vec<Tensor>,
    wanted: Vec<Tensor>,
}

fn graphs() -> Vec<Graph> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/onnx");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "safetensors"));
    files.sort();
    assert!(files.len() >= 12);
    files.iter().map(|path| graph(path)).collect()
}

fn graph(example: &Path) -> Graph {
    let import = Import { dimensions: [("H".to_owned(), 6)].into(), ..Import::default() };
    let imported = onnx::read(&example.with_extension("onnx"), &import).unwrap();
    let tensors = safetensors::read(example).unwrap().parameters;
    let numbered = |tensors: &Parameters, what: &str| -> Vec<Tensor> {
        let found = (0..).map_while(|index| tensors.get(&format!("{what}.{index}")).cloned());
        // A graph without a batch is one sample.
        let sample = |x: Tensor| x.clone().reshape([&[1], x.shape()].concat()).unwrap();
        found.map(|x| if imported.has_batch { x } else { sample(x) }).collect()
    };
    let (inputs, wanted) = (numbered(&tensors, "input"), numbered(&tensors, "output"));
    Graph { name: example.file_stem().unwrap().to_str().unwrap().to_owned(), imported, inputs, wanted }
}

impl Graph {
    fn model(&self, engine: &Device) -> vultus::Model {
        engine.load(&self.imported.network, &self.imported.parameters).unwrap()
    }

    fn batch(&self) -> usize {
        self.inputs[0].shape()[0]
    }

    #[track_caller]
    fn check(&self, output: usize, found: &[f32]) {
        let wanted = self.wanted[output].data();
        assert_eq!(found.len(), wanted.len(), "{}: output {output}", self.name);
        let off = found.iter().zip(wanted).map(|(a, b)| (a - b).abs() / b.abs().max(1.0));
        let off = off.fold(0.0, |most: f32, off| if off > most || off.is_nan() { off } else { most });
        assert!(off < TOLERANCE, "{}: output {output} is off by {off}", self.name);
    }
}

#[test]
fn graphs_run_within_the_applications_commands() {
    let (device, queue, engine) = embedded();
    for graph in graphs() {
        let mut plan = graph.model(&engine).compile(graph.batch(), &Options::default()).unwrap();
        let on_gpu = plan.gpu().unwrap();
        for (index, input) in graph.inputs.iter().enumerate() {
            let (buffer, start) = on_gpu.input_buffer(index).unwrap();
            queue.write_buffer(buffer, start, bytemuck::cast_slice(input.data()));
        }
        assert!(on_gpu.input_buffer(graph.inputs.len()).is_none());
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        on_gpu.encode(&mut encoder).unwrap();
        queue.submit([encoder.finish()]);
        for (index, wanted) in graph.wanted.iter().enumerate() {
            let (buffer, start) = on_gpu.output_buffer(index).unwrap();
            let bytes = read(&device, &queue, buffer, start, 4 * wanted.len() as u64);
            graph.check(index, &bytemuck::pod_collect_to_vec::<u8, f32>(&bytes));
        }
        assert!(on_gpu.output_buffer(graph.wanted.len()).is_none());
        let found = pollster::block_on(plan.run_all_async(&graph.inputs)).unwrap();
        found.iter().enumerate().for_each(|(index, found)| graph.check(index, found.data()));
    }
}

#[test]
fn graphs_compute_in_buffers_of_the_application() {
    let app = Application::new();
    let mut refused = Vec::new();
    for graph in graphs() {
        let model = graph.model(&app.engine);
        let mut ports: Vec<Port> = (0..graph.inputs.len()).map(Port::Input).collect();
        for output in (0..graph.wanted.len()).map(Port::Output) {
            let with_output = [ports.as_slice(), &[output]].concat();
            let options = Options { bound: with_output.clone(), ..Options::default() };
            match model.compile(graph.batch(), &options) {
                Ok(_) => ports = with_output,
                Err(error) => refused.push(error.to_string()),
            }
        }
        let options = Options { bound: ports.clone(), ..Options::default() };
        let plan = model.compile(graph.batch(), &options).unwrap();
        let own = |port: &Port| match *port {
            Port::Input(index) => app.holding(graph.inputs[index].data(), 64 * index),
            Port::Output(index) => app.room(graph.wanted[index].len(), 64 * index),
        };
        let held: Vec<Own> = ports.iter().map(own).collect();
        let buffers: Vec<_> = ports.iter().zip(&held).map(|(&port, own)| (port, own.binding())).collect();
        app.run(&plan, &plan.gpu().unwrap().bind(&buffers).unwrap());
        for (port, own) in ports.iter().zip(&held) {
            match *port {
                Port::Input(index) => assert_eq!(app.values(own), graph.inputs[index].data(), "{}", graph.name),
                Port::Output(index) => graph.check(index, &app.values(own)),
            }
        }
    }
    // The only output that is an input.
    let wanted = "two_inputs: output 1 cannot be bound: it has the numbers of an input, which nothing computes";
    assert_eq!(refused, [wanted]);
}
