#!/bin/bash
# lab: timeout=5
echo 'about to hang'
sleep 1000
