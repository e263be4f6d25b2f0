"""Checklist for sentiment models: templates for negation, contrast, plain statements, typos and more.

In the manner of CheckList: Ribeiro et al. 2020, "Beyond Accuracy: Behavioral Testing of NLP Models with CheckList".
The templates and word lists are our own. They measure; nothing may ever be trained or selected on them.
"""
