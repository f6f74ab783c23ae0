"""HTTP turned into verbs and back."""
