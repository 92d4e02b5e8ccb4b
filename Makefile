# demo    speak a mini corpus, train on it, decode, print the WER and where the outputs are
# test    run all tests
# lint    check style; format  mend it
#
# Each of them installs into .venv first, once. PYTHON chooses the interpreter that .venv is made
# from; ARGS is added to the command: make demo ARGS="--attention_type=RoPEMHA".

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed

.PHONY: demo test lint format

demo: $(INSTALLED)
	$(BIN)/python -m summarymixing_sb.minicorpora.librispeech runs/mini
	$(BIN)/python recipes/LibriSpeech/train.py hparams/LibriSpeech/demo.yaml \
		--data_folder=runs/mini/LibriSpeech $(ARGS)

test: $(INSTALLED)
	$(BIN)/python -m pytest $(ARGS)

lint: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

format: $(INSTALLED)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

$(INSTALLED): setup.py constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -c constraints.txt -e ".[test]"
	touch $@
