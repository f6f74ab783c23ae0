"""What happens around a verb on images."""
