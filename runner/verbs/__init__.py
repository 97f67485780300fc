"""What a verb does, as visible lists of calls: the only place that knows both decisions and edges."""
