#!/bin/sh
# Trains the model `vgg16` anew: weights/train_vgg16.sh FER2013, a folder with `train` and `test` that hold a folder per class.
# It takes 3 hours on two cores. One that was ended goes on when it is started again.
set -eu
faces=${1:?name the folder of FER2013 that holds train and test}
train() {
    cargo run --release -- train "$faces/train" --dedup "$faces/test" --test "$faces/test" --device cpu \
        --train-from block3_conv1 --batch 32 --weight-decay 0.05 --validation 0.05 --precision f32 --resume "$@"
}
much=light,shift=0.1,rotation=15,scale=0.2,brightness=0.2,contrast=0.4,erase=0.3
# From ImageNet, with little variation.
train --start imagenet --epochs 19 --warm-up 1 --learning-rate 1e-4 --ema 0.999 --balance weights:0.5 \
    --augment light,shift=0.08,rotation=10,scale=0.1,brightness=0.1,contrast=0.2,erase=0.1 \
    --log vgg16_model.1.csv --out vgg16_model.1.safetensors
# Twice from there, with much variation and all classes counting the same: shortly, and for long with mixed pictures.
train --start vgg16_model.1.safetensors --epochs 2 --warm-up 0.1 --learning-rate 5e-5 --ema 0.998 --balance weights \
    --augment $much --log vgg16_model.2.csv --out vgg16_model.2.safetensors
train --start vgg16_model.1.safetensors --epochs 17 --warm-up 0.3 --learning-rate 1e-4 --ema 0.999 --balance weights \
    --augment $much --mix mixup:0.2 --log vgg16_model.3.csv --out vgg16_model.3.safetensors
cargo run --release --example average_weights -- vgg16_model.f32.safetensors \
    vgg16_model.1.safetensors vgg16_model.2.safetensors vgg16_model.3.safetensors
# What was measured is what `vultus eval` says of the model: see weights/README.md.
cargo run --release --example convert_weights -- vgg16_model.f32.safetensors vgg16_model.safetensors i8 \
    "model=VGG16 for facial expressions: the layers that differ from its ImageNet base" \
    "origin=the mean of three trainings on the training part of FER2013 without what is in its test part (26940 pictures), seed 0" \
    "license=MIT OR Apache-2.0" "trained_on=26940 pictures: the training part of FER2013" \
    "recipe=weights/train_vgg16.sh" "augmentation=weights/train_vgg16.sh" \
    'measured=[{"data":"FER2013, public test part","faces":3589,"accuracy":0.675,"interval":[0.660,0.690],"macro_f1":0.643},{"data":"CK+, which it was not trained on, a choice among six classes","faces":927,"accuracy":0.740,"interval":[0.696,0.784],"macro_f1":0.658}]'
