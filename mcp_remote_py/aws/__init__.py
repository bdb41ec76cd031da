"""AWS's signatures (SigV4): what is signed, for whom, and what its refusals mean. Pure."""
