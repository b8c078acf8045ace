#!/bin/sh
# Trains the default model and the light one anew: weights/train.sh FER2013 VOTES FACES. FER2013 is the folder that holds
# `train` and `test` with a folder per class, VOTES FER+'s table of votes, FACES the weights of a MobileNetV1 that was trained
# on faces (weights/README.md). It takes an hour and a half on two cores. One that was ended goes on when it is started again.
set -eu
faces=${1:?name the folder of FER2013 that holds train and test}
votes=${2:?name the table of votes of FER+}
start=${3:?name the weights of a MobileNetV1 that was trained on faces}
train() {
    cargo run --release -- train "$faces/train" --votes "$votes" --dedup "$faces/test" --device cpu --batch 64 \
        --validation 0.05 --weight-decay 0.05 --label-smoothing 0 --head-factor 2 --ema 0.998 --precision f32 --resume \
        --augment light,shift=0.08,rotation=12,scale=0.15,brightness=0.15,contrast=0.3,erase=0.2 "$@"
}
# What ten people voted, and to three tenths what FER2013 says, where anyone agrees with it.
train --network mobilenet --start "$start" --input 96 --epochs 12 --warm-up 0.3 --learning-rate 5e-4 --dropout 0.3 \
    --own-share 0.3 --balance weights:0.35 --calibrate 0.05 \
    --log expression_model.csv --out expression_model.f32.safetensors
# The light model begins with what the other has learned.
train --network mobilenet_short --start expression_model.f32.safetensors --input 64 --epochs 4 --warm-up 0.1 \
    --learning-rate 4e-4 --dropout 0.2 --own-share 0.4 --balance weights:0.5 --calibrate 0.05 \
    --log light_model.csv --out light_model.f32.safetensors
