#!/bin/sh
# GRPO with verl, on rewards of a Proctor server: PROCTOR_URL=http://... examples/verl.sh
# The parquet files have verl's columns; reward_model.ground_truth is a problem id, or tests as JSON.
# What follows is given to verl: examples/verl.sh trainer.total_epochs=1
set -eu
here=$(cd "$(dirname "$0")" && pwd)

exec "${PYTHON:-python3}" -m verl.trainer.main_ppo --config-path="$here" --config-name=verl \
    data.train_files="${TRAIN_FILES:-train.parquet}" \
    data.val_files="${VAL_FILES:-validation.parquet}" \
    actor_rollout_ref.model.path="${MODEL:-Qwen/Qwen2.5-Coder-1.5B-Instruct}" \
    actor_rollout_ref.rollout.name=vllm \
    actor_rollout_ref.rollout.n=8 \
    "$@"
