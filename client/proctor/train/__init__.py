"""Training a policy on Proctor's rewards. Needs the extra `train`; docs/training.md is its guide.

Nothing is imported here, so that `proctor.train.tasks` can be used without torch.
"""
