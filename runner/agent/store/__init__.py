"""A store on its disk: its lock, its layout, its identity, its trash."""
