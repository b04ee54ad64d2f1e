"""Who has signed."""

GUESTS = {"ada": "Enchanted.", "grace": "Compiles."}
