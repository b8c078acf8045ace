#!/bin/sh
# Trains the default model anew: weights/train.sh FER2013, a folder with `train` and `test` that hold a folder per class.
# It takes 1.5 hours on two cores. One that was ended goes on when it is started again.
set -eu
faces=${1:?name the folder of FER2013 that holds train and test}
cargo run --release -- train "$faces/train" --dedup "$faces/test" --test "$faces/test" --device cpu \
    --train-from block3_conv1 --batch 32 --epochs 19 --learning-rate 1e-4 --warm-up 1 --weight-decay 0.05 --ema 0.999 \
    --augment light,shift=0.08,rotation=10,scale=0.1,brightness=0.1,contrast=0.2,erase=0.1 --balance sqrt-weights \
    --validation 0.05 --precision f32 --resume --log expression_model.csv --out expression_model.f32.safetensors
cargo run --release --example convert_weights -- expression_model.f32.safetensors expression_model.safetensors i8 \
    "model=VGG16 for facial expressions: the layers that differ from its ImageNet base" \
    "origin=vultus train on the training part of FER2013 without what is in its test part (26940 pictures), seed 0" \
    "license=MIT OR Apache-2.0" "trained_on=26940 pictures: the training part of FER2013"
