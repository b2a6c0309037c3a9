"""The microphone: recording one's own digits, and labelling what is heard."""
