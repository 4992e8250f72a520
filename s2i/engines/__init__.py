"""What runs containers, behind one protocol: Docker today, others later."""
