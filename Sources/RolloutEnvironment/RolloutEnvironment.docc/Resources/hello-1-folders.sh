mkdir -p Librarian/Sources/Librarian Librarian/Sources/LibrarianServer
cd Librarian
