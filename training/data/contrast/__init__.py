"""Generates labelled sentences in which small words decide: negation, contrast, comparison, emoji.

A sentence and its opposite come from one rule, so no single word tells the label. They are for training only: none of
them follows a template of the robustness suite (`training/evaluation/checklist`; a test holds them apart).

Source: Kaushik et al. 2020, "Learning the Difference that Makes a Difference with Counterfactually-Augmented Data".
"""
