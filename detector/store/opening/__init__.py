"""How a state is opened: who ingests, what may only be read, who decides."""
