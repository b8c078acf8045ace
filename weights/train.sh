#!/bin/sh
# Trains the default model and the light one anew: weights/train.sh FER2013 VOTES FACES. FER2013 is the folder that holds
# `train` and `test` with a folder per class, VOTES FER+'s table of votes, FACES the weights of a MobileNetV1 that was trained
# on faces (weights/README.md). It takes 3 hours on two cores. One that was ended goes on when it is started again.
set -eu
faces=${1:?name the folder of FER2013 that holds train and test}
votes=${2:?name the table of votes of FER+}
start=${3:?name the weights of a MobileNetV1 that was trained on faces}
train() {
    cargo run --release -- train "$faces/train" --votes "$votes" --dedup "$faces/test" --device cpu --batch 64 \
        --validation 0.05 --weight-decay 0.05 --label-smoothing 0 --precision f32 --resume "$@"
}
much=light,shift=0.08,rotation=12,scale=0.15,brightness=0.15,contrast=0.3,erase=0.2
# What ten people voted, and a third as much what FER2013 says where anyone agrees with it.
train --network mobilenet --start "$start" --input 96 --epochs 12 --warm-up 0.3 --learning-rate 5e-4 --head-factor 2 \
    --ema 0.998 --dropout 0.3 --own-share 0.3 --balance weights:0.35 --augment $much \
    --log expression_model.1.csv --out expression_model.1.safetensors
