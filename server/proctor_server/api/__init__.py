"""The HTTP side: routes turn requests into calls and answers into bytes, and decide nothing."""
