"""Labels from a language model behind a chat endpoint, and how a person checks them."""
