# demo              speak a mini corpus, train on it, decode, print the WER and where the outputs are
# demo-commonvoice  the same in CommonVoice's layout; LANGUAGE is nl, it or fr
# demo-aishell      the same in AISHELL-1's layout, in Mandarin
# demo-tedlium      the same in TED-LIUM's layout, and whole talks in one pass
# demo-speechcommands  train a classifier of words on a mini corpus of Speech Commands
# demo-slurp        the same for spoken language understanding; TASK is slu or intent, which
#                   wants ARGS=--pretrained_encoder=... (see README.md)
# demo-transducer   the same for a transducer that streams, on the corpus of demo
# demo-best-rq      pre-train without texts, then train the recogniser of demo from there
# demo-lm           train a language model for the recogniser of demo, and test that with it
# test              run all tests
# stress            run the tests that take minutes each
# bench             measure time and memory against length, plot them, make results/benchmark.md
# study             compare mixers and streams by many short trainings, which go on where they were
# results           make results/README.md from the CSV files beside it
# lint              check style; format  mend it
#
# Each of them installs into .venv first, once. PYTHON chooses the interpreter that .venv is made
# from; ARGS is added to the command: make demo ARGS="--attention_type=RoPEMHA".

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed

LANGUAGE ?= nl
TASK ?= slu

.PHONY: demo demo-commonvoice demo-aishell demo-tedlium demo-speechcommands demo-slurp demo-transducer demo-best-rq demo-lm test stress bench study results lint format

demo: $(INSTALLED)
	$(BIN)/python -m recipes.minicorpora.librispeech runs/mini
	$(BIN)/python recipes/LibriSpeech/train.py hparams/LibriSpeech/demo.yaml \
		--data_folder=runs/mini/LibriSpeech $(ARGS)

demo-commonvoice: $(INSTALLED)
	$(BIN)/python -m recipes.minicorpora.commonvoice runs/mini --language $(LANGUAGE)
	$(BIN)/python recipes/CommonVoice/train.py hparams/CommonVoice/demo.yaml \
		--data_folder=runs/mini/CommonVoice --language=$(LANGUAGE) $(ARGS)

demo-aishell: $(INSTALLED)
	$(BIN)/python -m recipes.minicorpora.aishell runs/mini
	$(BIN)/python recipes/AISHELL-1/train.py hparams/AISHELL-1/demo.yaml \
		--data_folder=runs/mini/AISHELL-1 $(ARGS)

TEDLIUM := $(BIN)/python recipes/TED-LIUM/train.py hparams/TED-LIUM/demo.yaml \
	--data_folder=runs/mini/TED-LIUM

demo-tedlium: $(INSTALLED)
	$(BIN)/python -m recipes.minicorpora.tedlium runs/mini
	$(TEDLIUM) $(ARGS)
	$(TEDLIUM) --test_only --test_long_form=True --test_decoding=ctc_greedy $(ARGS)

demo-speechcommands: $(INSTALLED)
	$(BIN)/python -m recipes.minicorpora.speechcommands runs/mini
	$(BIN)/python recipes/SpeechCommands/train.py hparams/SpeechCommands/demo.yaml \
		--data_folder=runs/mini/SpeechCommands $(ARGS)

demo-slurp: $(INSTALLED)
	$(BIN)/python -m recipes.minicorpora.slurp runs/mini
	$(BIN)/python recipes/SLURP/train.py hparams/SLURP/demo_$(TASK).yaml \
		--data_folder=runs/mini/SLURP $(ARGS)

demo-transducer: $(INSTALLED)
	$(BIN)/python -m recipes.minicorpora.librispeech runs/mini
	$(BIN)/python recipes/LibriSpeech/train.py hparams/LibriSpeech/demo_transducer.yaml \
		--data_folder=runs/mini/LibriSpeech $(ARGS)

BEST_RQ := runs/LibriSpeech/demo_best_rq

demo-best-rq: $(INSTALLED)
	$(BIN)/python -m recipes.minicorpora.librispeech runs/mini
	$(BIN)/python recipes/LibriSpeech/train.py hparams/LibriSpeech/demo_best_rq.yaml \
		--data_folder=runs/mini/LibriSpeech --output_folder=$(BEST_RQ) $(ARGS)
	$(BIN)/python recipes/LibriSpeech/train.py hparams/LibriSpeech/demo.yaml \
		--data_folder=runs/mini/LibriSpeech --output_folder=$(BEST_RQ)_recogniser \
		--pretrained_model=$(BEST_RQ) $(ARGS)

DEMO := runs/LibriSpeech/demo/SummaryMixing/3407

demo-lm: $(INSTALLED)
	$(BIN)/python recipes/LibriSpeech/train_lm.py hparams/LibriSpeech/lm/demo.yaml \
		--data_folder=runs/mini/LibriSpeech \
		--tokenizer_file=$(DEMO)/save/tokenizer/250_unigram.model
	$(BIN)/python recipes/LibriSpeech/train.py hparams/LibriSpeech/demo.yaml \
		--data_folder=runs/mini/LibriSpeech --test_only --lm_source=runs/LibriSpeech/lm_demo/3407 \
		--lm_weight=0.4 --lm_temperature=1.0 --results_folder=$(DEMO)/results_lm $(ARGS)

test: $(INSTALLED)
	$(BIN)/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile $(ARGS)

stress: $(INSTALLED)
	$(BIN)/python -m pytest tests/stress $(ARGS)

bench: $(INSTALLED)
	$(BIN)/python -m results.benchmark.speed --output results/bench.csv $(ARGS)
	$(BIN)/python -m results.benchmark.speed --memory --output results/bench.csv $(ARGS)
	$(BIN)/python -m results.benchmark.operations --output results/operations.csv
	$(BIN)/python -m results.benchmark.plots results/bench.csv results/published_efficiency.csv \
		--output results/bench
	$(BIN)/python -m results.benchmark.table results/bench.csv --output results/benchmark.md

study: $(INSTALLED)
	$(BIN)/python -m results.study.mixers $(ARGS)
	$(BIN)/python -m results.study.streams $(ARGS)
	$(BIN)/python -m results.study.pretraining $(ARGS)

results: $(INSTALLED)
	$(BIN)/python -m results.tools.page
	$(BIN)/python -m results.tools.gpu

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
