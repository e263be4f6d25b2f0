"""Labels from a language model behind a chat endpoint, how a person checks them, and what to label next."""
