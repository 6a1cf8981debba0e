"""The nouns of pipefile, frozen, and the ports through which the engine reaches the world."""
