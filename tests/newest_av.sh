#!/usr/bin/env bash
# The tests of reading videos, with the newest PyAV beside the pinned one. In .venv-newest-av,
# which has neither torch nor verl: newer versions of PyAV want a newer Python than the pinned stack.
#   bash tests/newest_av.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=.venv-newest-av

python=
for candidate in python3.12 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.12*/bin/python; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 12))' 2> /dev/null; then python=$candidate; fi
done
if [ -z "$python" ]; then
    echo "tests: the newest PyAV is NOT tested, for want of a Python 3.12 on this machine"
    exit 0
fi
"$folder/bin/python" -m pip --version > /dev/null 2>&1 || "$python" -m venv --clear "$folder"
pip=("$folder/bin/python" -m pip --disable-pip-version-check --quiet)
"${pip[@]}" install --upgrade av numpy opencv-python-headless pillow pyarrow pyyaml scikit-image tqdm pytest hypothesis \
    scikit-video
"${pip[@]}" install --no-deps --force-reinstall .
"$folder/bin/python" -c 'import av; print("tests: with PyAV", av.__version__)'
exec "$folder/bin/python" -m pytest tests/video/test_{container,decode,frame_cache,probe,timelines}.py tests/tasks/test_clip.py
