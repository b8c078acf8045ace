//! Many pictures through several plans on one GPU, awaited within tokio: no thread of the runtime is ever blocked.
//!
//! `cargo run --release --example headless_batch` takes the first adapter that there is, software or not. The network
//! has random weights: put your own in.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tokio::task::JoinSet;
use vultus::gpu::Adapter;
use vultus::nn::light;
use vultus::{Device, Options, Plan, Random, Result, Tensor};

const BATCH: usize = 8;
const BATCHES: usize = 24;
const PLANS: usize = 3;

// One thread, so that whatever blocked it would stop everything else.
#[tokio::main(flavor = "current_thread")]
async fn main() -> std::result::Result<(), Box<dyn Error>> {
    let adapter = Adapter::all().into_iter().next().ok_or("no driver offers an adapter")?;
    let device = Device::Gpu(adapter.open()?);
    let network = light::network(light::INPUT, 0.0, 7);
    let model = device.load(&network, &network.initialize(1)?)?;

    // A plan has memory for its values only: the parameters are the model's. Compiling blocks, and so may a driver in the
    // first run.
    let mut plans: Vec<Plan> = (0..PLANS).map(|_| model.compile(BATCH, &Options::default())).collect::<Result<_>>()?;
    plans.iter_mut().try_for_each(|plan| plan.run(&batch(0)).map(drop))?;

    let longest_pause = Arc::new(AtomicU64::new(0));
    let pulse = tokio::spawn(feel_pulse(longest_pause.clone()));
    let (next, turn, start) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(())), Instant::now());
    let mut tasks: JoinSet<Result<usize>> =
        plans.into_iter().map(|plan| work(plan, next.clone(), turn.clone())).collect();
    let mut done = 0;
    while let Some(task) = tasks.join_next().await {
        done += task??;
    }
    let seconds = start.elapsed().as_secs_f64();
    pulse.abort();
    println!("{device}: {done} pictures by {PLANS} plans in {seconds:.2} s, {:.0} per second", done as f64 / seconds);
    println!("the runtime's only thread was never away for more than {} ms", longest_pause.load(Ordering::Relaxed));
    Ok(())
}

/// A plan takes the next batch when it is done with one, until there are no more; how many pictures that were.
async fn work(mut plan: Plan, next: Arc<AtomicUsize>, turn: Arc<Mutex<()>>) -> Result<usize> {
    let mut pictures = 0;
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= BATCHES {
            return Ok(pictures);
        }
        let batch = batch(number as u64);
        // The queue runs one batch after another anyway. Mesa's software driver would make a second submission wait for
        // the first, and the thread with it.
        let turn = turn.lock().await;
        let outputs = plan.run_async(&batch).await?;
        drop(turn);
        pictures += outputs[0].shape()[0];
    }
}

/// Stands for pictures from a file or a network.
fn batch(number: u64) -> Tensor {
    let mut random = Random::new(number);
    Tensor::from_fn([BATCH, 3, light::INPUT, light::INPUT], |_| random.normal())
}

/// Notes by how many milliseconds another task of the runtime is late at most.
async fn feel_pulse(longest: Arc<AtomicU64>) {
    let beat = Duration::from_millis(1);
    loop {
        let start = Instant::now();
        tokio::time::sleep(beat).await;
        let late = start.elapsed().saturating_sub(beat).as_millis();
        longest.fetch_max(u64::try_from(late).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}
