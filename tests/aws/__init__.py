"""What is signed for AWS, judged by AWS's own library."""
