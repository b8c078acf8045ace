#!/bin/sh
# Trains the default model anew: weights/train.sh FER2013, a folder with `train` and `test` that hold a folder per class.
# It takes 3 hours on two cores. One that was ended goes on when it is started again.
set -eu
faces=${1:?name the folder of FER2013 that holds train and test}
train() {
    cargo run --release -- train "$faces/train" --dedup "$faces/test" --test "$faces/test" --device cpu \
        --train-from block3_conv1 --batch 32 --learning-rate 1e-4 --weight-decay 0.05 --ema 0.999 --validation 0.05 \
        --precision f32 --resume "$@"
}
# From ImageNet, with little variation; then from there, with much, and with all classes counting the same.
train --epochs 19 --warm-up 1 --balance sqrt-weights \
    --augment light,shift=0.08,rotation=10,scale=0.1,brightness=0.1,contrast=0.2,erase=0.1 \
    --log expression_model.1.csv --out expression_model.1.safetensors
train --start expression_model.1.safetensors --epochs 17 --warm-up 0.3 --balance weights --mix mixup:0.2 \
    --augment light,shift=0.1,rotation=15,scale=0.2,brightness=0.2,contrast=0.4,erase=0.3 \
    --log expression_model.2.csv --out expression_model.2.safetensors
cargo run --release --example convert_weights -- expression_model.2.safetensors expression_model.safetensors i8 \
    "model=VGG16 for facial expressions: the layers that differ from its ImageNet base" \
    "origin=vultus train on the training part of FER2013 without what is in its test part (26940 pictures), twice, seed 0" \
    "license=MIT OR Apache-2.0" "trained_on=26940 pictures: the training part of FER2013"
