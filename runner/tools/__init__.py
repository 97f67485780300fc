"""What a program wants and says: argv builder and parser side by side, one file a program, pure."""
