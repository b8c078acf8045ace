//! Attention on tokens (Vaswani et al. 2017): the blocks of a vision transformer (Dosovitskiy et al. 2021), as a head for a
//! convolutional network (FER-former, Li et al. 2023), and the window cross-attention of POSTER V2 (Mao et al. 2023). Layers
//! and parameters have the names of `timm`.
//!
//! ```
//! use vultus::nn::{Network, attention};
//!
//! // Two blocks with four heads on 49 tokens of 32 features.
//! let network = attention::vit_head(Network::new("hybrid", [49, 32]), 32, 4, 2, 2, 7)?;
//! assert_eq!(network.output_shapes()?, [[7]]);
//! # Ok::<(), vultus::Error>(())
//! ```

use super::Network;
use crate::error::{Error, Result};
use crate::ops::{Activation, LayerNorm, MatMul, RelativePositionBias};

/// The eps of a transformer's layer normalisations.
const EPS: f32 = 1e-6;

/// Tokens of a window's queries and of its keys, by the names of the layers that give them, and heads.
struct Heads<'a> {
    name: &'a str,
    width: usize,
    heads: usize,
    /// The window whose relative positions have a bias of their own, and what that parameter is called.
    window: Option<([usize; 2], &'a str)>,
}

impl Heads<'_> {
    /// Each head's product of queries, keys and values, side by side again: from layers of the shape `[.., tokens, width]`.
    /// `before` are the dimensions between the batch and the tokens.
    fn attend(&self, mut network: Network, [q, k, v]: [&str; 3], before: &[usize], tokens: usize) -> Result<Network> {
        let of = |part: &str| format!("{}.{part}", self.name);
        if self.heads == 0 {
            return Err(Error::invalid(self.name, "attention takes at least one head"));
        }
        let size = self.width / self.heads;
        if size * self.heads != self.width {
            let reason = format!("{} features are not a multiple of {} heads", self.width, self.heads);
            return Err(Error::shape(self.name, reason));
        }
        let sizes = |rest: &[usize]| -> Vec<Option<usize>> { before.iter().chain(rest).copied().map(Some).collect() };
        // Heads come before tokens, and back after tokens.
        let rank = before.len() + 4;
        let mut exchanged: Vec<usize> = (0..rank).collect();
        exchanged.swap(rank - 3, rank - 2);
        for (layer, part) in [(q, "q_heads"), (k, "k_heads"), (v, "v_heads")] {
            network = network
                .branch_from(layer)?
                .reshape(&of(&format!("{part}.split")), &sizes(&[tokens, self.heads, size]))
                .transpose(&of(part), &exchanged);
        }
        let alpha = 1.0 / (size as f32).sqrt();
        let scores = MatMul { transpose_b: true, alpha, ..MatMul::default() };
        network = network.branch_from(&of("q_heads"))?.matmul(&of("scores"), &of("k_heads"), scores)?;
        if let Some((window, table)) = self.window {
            network = network.relative_position_bias(&of("bias"), table, RelativePositionBias { window });
        }
        Ok(network
            .softmax_over(&of("weights"), rank - 1)
            .matmul(&of("values"), &of("v_heads"), MatMul::default())?
            .transpose(&of("joined"), &exchanged)
            .reshape(&of("out"), &sizes(&[tokens, self.width])))
    }
}

/// One block before whose branches the tokens are normalised: attention among the tokens `[tokens, width]` that the last
/// layer gives, and a network of two dense layers, `ratio` times as wide, for each; past both of them.
///
/// # Errors
/// [`Error::Shape`] if `width` is not a multiple of `heads`, or the last layer does not give tokens of this width;
/// [`Error::InvalidArgument`] if there are no heads.
pub fn vit_block(network: Network, name: &str, width: usize, heads: usize, ratio: usize) -> Result<Network> {
    let of = |part: &str| format!("{name}.{part}");
    let shape = match network.layers() {
        [] => network.input().to_vec(),
        _ => network.output_shapes()?.swap_remove(0),
    };
    let &[tokens, _] = shape.as_slice() else {
        return Err(Error::shape(name, format!("takes tokens of {width} features, not {shape:?}")));
    };
    let input = network.last_layer().to_owned();
    let [norm1, qkv] = [of("norm1"), of("attn.qkv")];
    let mut network = network.layer_norm(&norm1, &norm1, LayerNorm { eps: EPS }).dense(&qkv, &qkv, 3 * width);
    let parts = ["attn.q", "attn.k", "attn.v"].map(of);
    for (number, part) in parts.iter().enumerate() {
        network = network.branch_from(&qkv)?.slice(part, 2, number * width..(number + 1) * width);
    }
    let attention = of("attn");
    let heads = Heads { name: &attention, width, heads, window: None };
    let [q, k, v] = &parts;
    let proj = of("attn.proj");
    let network =
        heads.attend(network, [q, k, v], &[], tokens)?.dense(&proj, &proj, width).add(&of("attended"), &input)?;
    mlp(network, name, &of("attended"), width, ratio * width, EPS)
}

/// A normalisation, two dense layers with a GELU between them, and past these.
fn mlp(network: Network, name: &str, input: &str, width: usize, hidden: usize, eps: f32) -> Result<Network> {
    let of = |part: &str| if name.is_empty() { part.to_owned() } else { format!("{name}.{part}") };
    let [norm2, fc1, fc2] = ["norm2", "mlp.fc1", "mlp.fc2"].map(of);
    network
        .branch_from(input)?
        .layer_norm(&norm2, &norm2, LayerNorm { eps })
        .dense(&fc1, &fc1, hidden)
        .activation_named(&of("mlp.act"), Activation::Gelu)
        .dense(&fc2, &fc2, width)
        .add(&of("out"), input)
}

/// So many blocks on the tokens that the network gives (`[tokens, width]`), and a classifier on their mean.
///
/// # Errors
/// As [`vit_block`].
pub fn vit_head(
    mut network: Network,
    width: usize,
    heads: usize,
    blocks: usize,
    ratio: usize,
    classes: usize,
) -> Result<Network> {
    for block in 0..blocks {
        network = vit_block(network, &format!("blocks.{block}"), width, heads, ratio)?;
    }
    Ok(network
        .layer_norm("norm", "norm", LayerNorm { eps: EPS })
        .reduce_mean("mean", &[1], false)
        .dense("head", "head", classes)
        .softmax())
}

/// Feature maps of a face's landmarks that ask those of its image, within windows: for two layers of the shape
/// `[width, height, columns]`, the maps of the image with what was found added, and two dense layers, `ratio` times as wide,
/// on these. Height and columns are multiples of the window's.
///
/// # Errors
/// [`Error::UnknownName`] if there are no such layers; [`Error::Shape`] if a size is not a multiple of the window's, or
/// `width` is not one of `heads`; [`Error::InvalidArgument`] if the window is empty or there are no heads.
pub fn cross_attention(
    network: Network,
    [landmark, image]: [&str; 2],
    [width, height, columns]: [usize; 3],
    window: [usize; 2],
    heads: usize,
    ratio: usize,
) -> Result<Network> {
    let reason = || format!("maps of {height}×{columns} are not cut into windows of {}×{}", window[0], window[1]);
    if window.contains(&0) {
        return Err(Error::invalid("cross_attention", reason()));
    }
    if height % window[0] != 0 || columns % window[1] != 0 {
        return Err(Error::shape("cross_attention", reason()));
    }
    let windows = Windows { width, window, count: [height / window[0], columns / window[1]] };
    let mut network = network;
    for (layer, part) in [(landmark, "landmark"), (image, "image")] {
        let norm = format!("norm_{part}");
        network = network.branch_from(layer)?.transpose(&format!("{part}.channels_last"), &[0, 2, 3, 1]).layer_norm(
            &norm,
            &norm,
            LayerNorm::default(),
        );
        network = windows.cut(network, part);
    }
    let mut network = network
        .dense("kv", "kv", 2 * width)
        .slice("k", 3, 0..width)
        .branch_from("kv")?
        .slice("v", 3, width..2 * width)
        .branch_from("landmark.windows")?
        .dense("q", "q", width);
    let table = Some((window, "relative_position_bias_table"));
    let attention = Heads { name: "attn", width, heads, window: table };
    network = attention.attend(network, ["q", "k", "v"], &[windows.all()], window[0] * window[1])?;
    network = windows.join(network.dense("proj", "proj", width)).add("attended", "image.channels_last")?;
    let eps = LayerNorm::default().eps;
    Ok(mlp(network, "", "attended", width, ratio * width, eps)?.transpose("channels_first", &[0, 3, 1, 2]))
}

/// Maps with channels last as tokens of windows, and back.
struct Windows {
    width: usize,
    window: [usize; 2],
    count: [usize; 2],
}

/// Rows of windows, rows within one, columns of windows, columns within one: the middle two exchanged.
const EXCHANGED: [usize; 6] = [0, 1, 3, 2, 4, 5];

impl Windows {
    fn all(&self) -> usize {
        self.count[0] * self.count[1]
    }

    fn cut(&self, network: Network, name: &str) -> Network {
        let ([down, across], [height, width]) = (self.count, self.window);
        network
            .reshape(&format!("{name}.cut"), &[down, height, across, width, self.width].map(Some))
            .transpose(&format!("{name}.rows"), &EXCHANGED)
            .reshape(&format!("{name}.windows"), &[self.all(), height * width, self.width].map(Some))
    }

    fn join(&self, network: Network) -> Network {
        let ([down, across], [height, width]) = (self.count, self.window);
        network
            .reshape("joined.cut", &[down, across, height, width, self.width].map(Some))
            .transpose("joined.rows", &EXCHANGED)
            .reshape("joined", &[down * height, across * width, self.width].map(Some))
    }
}
