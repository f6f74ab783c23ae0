"""The outermost application and fault bodies."""
